//! The clients. Each fetches all URLs of a case and fails on the first wrong response.

mod adapters;
mod aiohttp;
mod command;
mod curl;
mod epoll_floor;
mod hyper_util;
mod microsoft_fetch;
mod ours;
mod reqwest;
mod unordered;

use anyhow::{Result, ensure};
use http::Version;

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::cases::load_kind::LoadKind;
use crate::environment::pinning::{self, PinnedCore};
use crate::environment::ports::SitePorts;
use crate::environment::usage::{self, ResourceMeter};

/// Whether a client is installed on this machine.
pub(crate) fn is_installed(client: ClientKind) -> bool {
    match client {
        ClientKind::Aiohttp => aiohttp::is_installed(),
        ClientKind::Curl => curl::is_installed(),
        _ => true,
    }
}

/// Runs `client` in this process and prints its usage.
pub(crate) fn run_client(
    client: ClientKind,
    case: &BenchmarkCase,
    ports: &SitePorts,
) -> Result<()> {
    if !matches!(client, ClientKind::OneThread | ClientKind::TwoThreads) {
        pinning::pin_to(PinnedCore::Client)?;
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let work: fn(&BenchmarkCase, &SitePorts) -> Result<()> = match client {
        // These measure the command alone, without its preparation and the check of its output.
        ClientKind::Command => return usage::print_usage(&command::run(case, ports)?),
        ClientKind::Curl => return usage::print_usage(&curl::run(case, ports)?),
        ClientKind::Aiohttp => aiohttp::run,
        ClientKind::AsyncStd => adapters::async_std,
        ClientKind::Fetch => microsoft_fetch::run,
        ClientKind::Floor => epoll_floor::run,
        ClientKind::HyperUtil => hyper_util::run,
        ClientKind::Isahc => adapters::isahc,
        ClientKind::SmallPool => ours::with_small_pool,
        ClientKind::OneThread => |case, ports| ours::on_threads(case, ports, 1),
        ClientKind::Ours => ours::on_one_executor,
        ClientKind::OursGlobal => ours::on_global_executor,
        ClientKind::OverReqwest => adapters::over_reqwest,
        ClientKind::Reqwest => reqwest::run,
        ClientKind::Surf => adapters::surf,
        ClientKind::Tokio => adapters::tokio,
        ClientKind::TwoThreads => |case, ports| ours::on_threads(case, ports, 2),
    };
    let meter = ResourceMeter::start()?;
    work(case, ports)?;
    usage::print_usage(&meter.stop()?)
}

/// Fails unless the response has the HTTP version of the load.
fn verify_version(case: &BenchmarkCase, version: Version) -> Result<()> {
    let expected = match case.kind {
        LoadKind::Http2 => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    ensure!(version == expected, "{version:?} instead of {expected:?}");
    Ok(())
}

/// Checks and counts responses.
struct ResponseTally<'a> {
    case: &'a BenchmarkCase,
    failed: usize,
    succeeded: usize,
}

impl<'a> ResponseTally<'a> {
    fn new(case: &'a BenchmarkCase) -> Self {
        Self {
            case,
            failed: 0,
            succeeded: 0,
        }
    }

    /// Counts a response. Fails if its status or length is wrong.
    fn add(&mut self, status: u16, length: usize) -> Result<()> {
        if status == 503 && self.case.failures() > 0 {
            self.failed += 1;
            return Ok(());
        }
        let body = self.case.body;
        ensure!(status == 200, "status {status} instead of 200");
        ensure!(length == body, "{length} bytes instead of {body}");
        self.succeeded += 1;
        Ok(())
    }

    fn responses(&self) -> usize {
        self.failed + self.succeeded
    }

    /// Fails unless the numbers of responses and of failures are those of the case.
    fn finish(self) -> Result<()> {
        let (responses, requests) = (self.responses(), self.case.requests);
        ensure!(
            responses == requests,
            "{responses} responses to {requests} requests"
        );
        let (failed, failures) = (self.failed, self.case.failures());
        ensure!(
            failed == failures,
            "{failed} failures instead of {failures}"
        );
        Ok(())
    }
}

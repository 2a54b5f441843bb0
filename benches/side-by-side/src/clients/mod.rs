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
use clap::ValueEnum;
use http::Version;

use crate::case::{BenchmarkCase, LoadKind};
use crate::environment::pinning::{self, PinnedCore};
use crate::environment::ports::SitePorts;
use crate::measure::usage::{self, ResourceMeter};

/// A client that is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ClientKind {
    /// aiohttp, as in the original of fetch-all
    Aiohttp,
    /// fetch-all on async-std
    AsyncStd,
    /// The command fetch-all, writing JSON Lines
    Command,
    /// curl --parallel
    Curl,
    /// Microsoft's client, with buffer_unordered
    Fetch,
    /// The lower bound: an epoll loop that parses almost nothing
    Floor,
    /// hyper-util's client on a current-thread runtime, with buffer_unordered
    HyperUtil,
    /// fetch-all over isahc
    Isahc,
    /// As `ours`, with a pool of twice the concurrency
    SmallPool,
    /// fetch-all with one thread of its own
    OneThread,
    /// fetch-all on one executor and one thread
    Ours,
    /// fetch-all on smol's global executor
    OursGlobal,
    /// reqwest as a transport of fetch-all, on a current-thread runtime
    OverReqwest,
    /// reqwest on a current-thread runtime, with buffer_unordered
    Reqwest,
    /// fetch-all over surf
    Surf,
    /// fetch-all on tokio, on a current-thread runtime
    Tokio,
    /// fetch-all with two threads of its own
    TwoThreads,
}

impl ClientKind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aiohttp => "aiohttp",
            Self::AsyncStd => "async-std",
            Self::Command => "command",
            Self::Curl => "curl",
            Self::Fetch => "fetch",
            Self::Floor => "floor",
            Self::HyperUtil => "hyper-util",
            Self::Isahc => "isahc",
            Self::SmallPool => "small-pool",
            Self::OneThread => "one-thread",
            Self::Ours => "ours",
            Self::OursGlobal => "ours-global",
            Self::OverReqwest => "over-reqwest",
            Self::Reqwest => "reqwest",
            Self::Surf => "surf",
            Self::Tokio => "tokio",
            Self::TwoThreads => "two-threads",
        }
    }

    /// The description in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Aiohttp => "aiohttp, the original design",
            Self::AsyncStd => "fetch-all, async-std",
            Self::Command => "the command `fetch-all`",
            Self::Curl => "`curl --parallel`",
            Self::Fetch => "fetch (Microsoft), tokio, `buffer_unordered`",
            Self::Floor => "floor: a bare epoll loop",
            Self::HyperUtil => "hyper-util, tokio, `buffer_unordered`",
            Self::Isahc => "fetch-all, isahc",
            Self::SmallPool => "the same, `max_connections(200)`",
            Self::OneThread => "fetch-all, smol, `threads(1)`",
            Self::Ours => "fetch-all, smol, one executor",
            Self::OursGlobal => "fetch-all, smol, global executor",
            Self::OverReqwest => "fetch-all, reqwest as its transport",
            Self::Reqwest => "reqwest, tokio, `buffer_unordered`",
            Self::Surf => "fetch-all, surf",
            Self::Tokio => "fetch-all, tokio, current thread",
            Self::TwoThreads => "fetch-all, smol, `threads(2)`",
        }
    }

    /// Whether it can run a load of this kind.
    pub(crate) fn can_run(self, kind: LoadKind) -> bool {
        match (self, kind) {
            (Self::Aiohttp, LoadKind::Http2) => false,
            // Its circuit breaker opens at this failure rate and rejects further requests.
            (Self::Fetch, LoadKind::Failing) => false,
            _ => true,
        }
    }

    /// Whether it is installed on this machine.
    pub(crate) fn is_installed(self) -> bool {
        match self {
            Self::Aiohttp => aiohttp::is_installed(),
            Self::Curl => curl::is_installed(),
            _ => true,
        }
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

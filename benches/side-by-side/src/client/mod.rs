//! The clients: each fetches a whole case and fails on the first thing that is not as it should be.

mod adapters;
mod aiohttp;
mod command;
mod curl;
mod fetch;
mod floor;
mod hyper_util;
mod ours;
mod reqwest;
mod unordered;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use http::Version;

use crate::case::{Case, Way};
use crate::core::{self, Core};
use crate::ports::Ports;
use crate::usage::{self, Meter};

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Client {
    /// aiohttp, as the original of fetch-all was
    Aiohttp,
    /// fetch-all on async-std
    AsyncStd,
    /// The command fetch-all, writing JSON Lines
    Command,
    /// curl --parallel
    Curl,
    /// Microsoft's client, with buffer_unordered
    Fetch,
    /// No client: an epoll loop that parses next to nothing
    Floor,
    /// hyper-util's client on a current-thread runtime, with buffer_unordered
    HyperUtil,
    /// fetch-all over isahc
    Isahc,
    /// As `ours`, with a pool of twice the concurrency
    SmallPool,
    /// fetch-all with a thread of its own
    OneThread,
    /// fetch-all, all of it on one executor and one thread
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

impl Client {
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

    /// What it is, for the table.
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

    /// The first cell of its row in the README's table of runtimes, whose line it measures.
    pub(crate) fn runtime(self) -> Option<&'static str> {
        match self {
            Self::AsyncStd => Some("`async-std`"),
            Self::Isahc => Some("`isahc`"),
            Self::OursGlobal => Some("`smol` (default)"),
            Self::OverReqwest => Some("none"),
            Self::Surf => Some("`surf`"),
            Self::Tokio => Some("`tokio`"),
            _ => None,
        }
    }

    /// Whether it can do what is special about a load.
    pub(crate) fn can(self, way: Way) -> bool {
        match (self, way) {
            (Self::Aiohttp, Way::Http2) => false,
            // Its breaker opens at that rate of failures, and it refuses what comes next.
            (Self::Fetch, Way::Failing) => false,
            _ => true,
        }
    }

    /// Whether this machine has it: others' commands may be missing.
    pub(crate) fn is_here(self) -> bool {
        match self {
            Self::Aiohttp => aiohttp::is_here(),
            Self::Curl => curl::is_here(),
            _ => true,
        }
    }
}

/// Runs `client` in this process and prints what it used.
pub(crate) fn run(client: Client, case: &Case, base: &Ports) -> Result<()> {
    if !matches!(client, Client::OneThread | Client::TwoThreads) {
        core::pin(Core::Client)?;
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let work: fn(&Case, &Ports) -> Result<()> = match client {
        // What prepares and checks them is not measured.
        Client::Command => return usage::print(&command::run(case, base)?),
        Client::Curl => return usage::print(&curl::run(case, base)?),
        Client::Aiohttp => aiohttp::run,
        Client::AsyncStd => adapters::async_std,
        Client::Fetch => fetch::run,
        Client::Floor => floor::run,
        Client::HyperUtil => hyper_util::run,
        Client::Isahc => adapters::isahc,
        Client::SmallPool => ours::with_a_small_pool,
        Client::OneThread => |case, base| ours::on_threads(case, base, 1),
        Client::Ours => ours::on_one_executor,
        Client::OursGlobal => ours::on_the_global_executor,
        Client::OverReqwest => adapters::over_reqwest,
        Client::Reqwest => reqwest::run,
        Client::Surf => adapters::surf,
        Client::Tokio => adapters::tokio,
        Client::TwoThreads => |case, base| ours::on_threads(case, base, 2),
    };
    let meter = Meter::start()?;
    work(case, base)?;
    usage::print(&meter.stop()?)
}

/// Fails unless the answer came by the protocol that the load is about.
fn verify_version(case: &Case, version: Version) -> Result<()> {
    let expected = match case.way {
        Way::Http2 => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    ensure!(version == expected, "{version:?} instead of {expected:?}");
    Ok(())
}

/// Answers, checked and counted.
struct Tally<'a> {
    case: &'a Case,
    failed: usize,
    fine: usize,
}

impl<'a> Tally<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            failed: 0,
            fine: 0,
        }
    }

    /// Fails unless that is an answer to what was asked for.
    fn add(&mut self, status: u16, length: usize) -> Result<()> {
        if status == 503 && self.case.failures() > 0 {
            self.failed += 1;
            return Ok(());
        }
        let body = self.case.body;
        ensure!(status == 200, "status {status} instead of 200");
        ensure!(length == body, "{length} bytes instead of {body}");
        self.fine += 1;
        Ok(())
    }

    fn answers(&self) -> usize {
        self.failed + self.fine
    }

    /// Fails unless there were as many answers as requests, and as many failures as there are to be.
    fn finish(self) -> Result<()> {
        let (answers, requests) = (self.answers(), self.case.requests);
        ensure!(
            answers == requests,
            "{answers} answers to {requests} requests"
        );
        let (failed, failures) = (self.failed, self.case.failures());
        ensure!(
            failed == failures,
            "{failed} failures instead of {failures}"
        );
        Ok(())
    }
}

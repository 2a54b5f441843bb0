//! The clients: each fetches a whole case and fails on the first thing that is not as it should be.

mod adapters;
mod floor;
mod ours;
mod reqwest;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::case::Case;
use crate::core::{self, Core};
use crate::usage::{self, Meter};

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Client {
    /// fetch-all on async-std
    AsyncStd,
    /// No client: an epoll loop that parses next to nothing
    Floor,
    /// fetch-all over isahc
    Isahc,
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
}

impl Client {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AsyncStd => "async-std",
            Self::Floor => "floor",
            Self::Isahc => "isahc",
            Self::Ours => "ours",
            Self::OursGlobal => "ours-global",
            Self::OverReqwest => "over-reqwest",
            Self::Reqwest => "reqwest",
            Self::Surf => "surf",
            Self::Tokio => "tokio",
        }
    }

    /// What it is, for the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::AsyncStd => "fetch-all, async-std",
            Self::Floor => "floor: a bare epoll loop",
            Self::Isahc => "fetch-all, isahc",
            Self::Ours => "fetch-all, smol, one executor",
            Self::OursGlobal => "fetch-all, smol, global executor",
            Self::OverReqwest => "fetch-all, reqwest as its transport",
            Self::Reqwest => "reqwest, tokio, `buffer_unordered`",
            Self::Surf => "fetch-all, surf",
            Self::Tokio => "fetch-all, tokio, current thread",
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
            Self::Floor | Self::Ours | Self::Reqwest => None,
        }
    }
}

/// Runs `client` in this process and prints what it used.
pub(crate) fn run(client: Client, case: &Case, base: &str) -> Result<()> {
    core::pin(Core::Client)?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let url = format!("{base}{}", case.path());
    let meter = Meter::start()?;
    match client {
        Client::AsyncStd => adapters::async_std(case, &url)?,
        Client::Floor => floor::run(case, &url)?,
        Client::Isahc => adapters::isahc(case, &url)?,
        Client::Ours => ours::on_one_executor(case, &url)?,
        Client::OursGlobal => ours::on_the_global_executor(case, &url)?,
        Client::OverReqwest => adapters::over_reqwest(case, &url)?,
        Client::Reqwest => reqwest::run(case, &url)?,
        Client::Surf => adapters::surf(case, &url)?,
        Client::Tokio => adapters::tokio(case, &url)?,
    }
    usage::print(&meter.stop()?)
}

/// Fails unless that is the answer that was asked for.
fn verify(case: &Case, status: u16, length: usize) -> Result<()> {
    ensure!(status == 200, "status {status} instead of 200");
    ensure!(
        length == case.body,
        "{length} bytes instead of {}",
        case.body
    );
    Ok(())
}

/// Fails unless there were as many answers as requests.
fn verify_count(case: &Case, answers: usize) -> Result<()> {
    ensure!(
        answers == case.requests,
        "{answers} answers to {} requests",
        case.requests
    );
    Ok(())
}

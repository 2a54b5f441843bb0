//! The clients: each fetches a whole case and fails on the first thing that is not as it should be.

mod adapters;
mod aiohttp;
mod curl;
mod floor;
mod hyper_util;
mod ours;
mod reqwest;
mod unordered;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::case::Case;
use crate::core::{self, Core};
use crate::usage::{self, Meter};

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Client {
    /// aiohttp, as the original of fetch-all was
    Aiohttp,
    /// fetch-all on async-std
    AsyncStd,
    /// curl --parallel
    Curl,
    /// No client: an epoll loop that parses next to nothing
    Floor,
    /// hyper-util's client on a current-thread runtime, with buffer_unordered
    HyperUtil,
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
            Self::Aiohttp => "aiohttp",
            Self::AsyncStd => "async-std",
            Self::Curl => "curl",
            Self::Floor => "floor",
            Self::HyperUtil => "hyper-util",
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
            Self::Aiohttp => "aiohttp, the original design",
            Self::AsyncStd => "fetch-all, async-std",
            Self::Curl => "`curl --parallel`",
            Self::Floor => "floor: a bare epoll loop",
            Self::HyperUtil => "hyper-util, tokio, `buffer_unordered`",
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
            Self::Aiohttp
            | Self::Curl
            | Self::Floor
            | Self::HyperUtil
            | Self::Ours
            | Self::Reqwest => None,
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
pub(crate) fn run(client: Client, case: &Case, base: &str) -> Result<()> {
    core::pin(Core::Client)?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let meter = Meter::start()?;
    match client {
        Client::Aiohttp => aiohttp::run(case, base)?,
        Client::Curl => curl::run(case, base)?,
        Client::HyperUtil => hyper_util::run(case, base)?,
        Client::AsyncStd => adapters::async_std(case, base)?,
        Client::Floor => floor::run(case, base)?,
        Client::Isahc => adapters::isahc(case, base)?,
        Client::Ours => ours::on_one_executor(case, base)?,
        Client::OursGlobal => ours::on_the_global_executor(case, base)?,
        Client::OverReqwest => adapters::over_reqwest(case, base)?,
        Client::Reqwest => reqwest::run(case, base)?,
        Client::Surf => adapters::surf(case, base)?,
        Client::Tokio => adapters::tokio(case, base)?,
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

//! The clients: each fetches a whole case and fails on the first thing that is not as it should be.

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
    /// fetch-all, all of it on one executor and one thread
    Ours,
    /// fetch-all on smol's global executor
    OursGlobal,
    /// reqwest on a current-thread runtime, with buffer_unordered
    Reqwest,
    /// No client: an epoll loop that parses next to nothing
    Floor,
}

impl Client {
    /// All of them; the first is the one to compare with.
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::OursGlobal, Self::Reqwest, Self::Floor];

    /// Whether the others are compared with this one.
    pub(crate) fn is_base(self) -> bool {
        self == Self::ALL[0]
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursGlobal => "ours-global",
            Self::Reqwest => "reqwest",
            Self::Floor => "floor",
        }
    }

    /// What it is, for the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "fetch-all, smol, one executor",
            Self::OursGlobal => "fetch-all, smol, global executor",
            Self::Reqwest => "reqwest, tokio, `buffer_unordered`",
            Self::Floor => "floor: a bare epoll loop",
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
        Client::Ours => ours::on_one_executor(case, &url)?,
        Client::OursGlobal => ours::on_the_global_executor(case, &url)?,
        Client::Reqwest => reqwest::run(case, &url)?,
        Client::Floor => floor::run(case, &url)?,
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

//! Pinning: the site has core 0 to itself, the client core 1.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Which of the cores that this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    /// The first: for the site.
    Site,
    /// The second: for the client.
    Client,
}

/// Keeps this process, and all that it starts from now on, on that core. With just one core there
/// is nothing to choose.
pub(crate) fn pin(core: Core) -> Result<()> {
    let cores = allowed()?;
    if cores.len() < 2 {
        return Ok(());
    }
    let mut only = CpuSet::new();
    only.set(cores[core as usize])?;
    sched_setaffinity(Pid::from_raw(0), &only).context("cannot pin this process to a core")
}

/// The cores that this process may use.
pub(crate) fn allowed() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("cannot ask for the usable cores")?;
    Ok((0..CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect())
}

//! Pins the server to the first core and the client to the second.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A core, out of those that this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PinnedCore {
    /// The first, for the server.
    Site,
    /// The second, for the client.
    Client,
}

/// Pins this process, and processes that it starts later, to a core. Does nothing on a machine with
/// one core.
pub(crate) fn pin_to(core: PinnedCore) -> Result<()> {
    let cores = usable_cores()?;
    if cores.len() < 2 {
        return Ok(());
    }
    let mut only = CpuSet::new();
    only.set(cores[core as usize])?;
    sched_setaffinity(Pid::from_raw(0), &only).context("cannot pin this process to a core")
}

/// The cores that this process may use.
pub(crate) fn usable_cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("cannot ask for the usable cores")?;
    Ok((0..CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect())
}

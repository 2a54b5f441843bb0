//! What a process used: time, memory, context switches.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Usage as Rusage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What a run took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Usage {
    /// Seconds on the wall clock.
    pub(crate) wall: f64,
    /// Seconds of CPU time, user and system, of all threads.
    pub(crate) cpu: f64,
    /// The system's part of it.
    pub(crate) system: f64,
    /// Seconds of CPU time of the main thread alone.
    pub(crate) main: f64,
    /// The most memory that was resident, in KiB, since the process began.
    pub(crate) peak_kib: u64,
    /// Voluntary context switches of all threads.
    pub(crate) switches: u64,
}

/// Measures this process, and those that it runs, from now on.
#[derive(Debug)]
pub(crate) struct Meter {
    before: Rusage,
    main: Duration,
    started: Instant,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            before: getrusage(UsageWho::RUSAGE_SELF)?,
            main: main_thread()?,
            started: Instant::now(),
        })
    }

    pub(crate) fn stop(self) -> Result<Usage> {
        let wall = self.started.elapsed().as_secs_f64();
        let main = main_thread()?.saturating_sub(self.main).as_secs_f64();
        let after = getrusage(UsageWho::RUSAGE_SELF)?;
        // Those of clients that are commands of their own.
        let others = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let switches = |usage: &Rusage| usage.voluntary_context_switches().max(0) as u64;
        Ok(Usage {
            wall,
            cpu: (cpu(&after) + cpu(&others))
                .saturating_sub(cpu(&self.before))
                .as_secs_f64(),
            main,
            system: (system(&after) + system(&others))
                .saturating_sub(system(&self.before))
                .as_secs_f64(),
            peak_kib: peak_kib()?.max(others.max_rss().max(0) as u64),
            switches: switches(&after) + switches(&others) - switches(&self.before),
        })
    }
}

/// Runs `command` and prints what it used: this process starts no other, so the figures of its
/// children are those of the command, and its own memory is less than what any client needs.
pub(crate) fn watch(command: &[OsString]) -> Result<()> {
    crate::core::pin(crate::core::Core::Client)?;
    let (program, arguments) = command
        .split_first()
        .context("there is no command to run")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let wall = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{} failed: {status}", program.display());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    print(&Usage {
        wall,
        cpu: cpu(&usage).as_secs_f64(),
        main: 0.0,
        system: system(&usage).as_secs_f64(),
        peak_kib: usage.max_rss().max(0) as u64,
        switches: usage.voluntary_context_switches().max(0) as u64,
    })
}

/// Prints `usage` for the process that started this one.
pub(crate) fn print(usage: &Usage) -> Result<()> {
    println!("{}", serde_json::to_string(usage)?);
    Ok(())
}

/// Runs this program itself, as the part that `arguments` say, and reads what it prints.
pub(crate) fn of_part<A: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> Result<Usage> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start a process for the measurement")?;
    ensure!(
        output.status.success(),
        "the measured process failed: {}",
        output.status
    );
    serde_json::from_slice(&output.stdout).context("the measured process printed no figures")
}

/// CPU time of this thread, which is the main one.
fn main_thread() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn cpu(usage: &Rusage) -> Duration {
    duration(usage.user_time()) + system(usage)
}

fn system(usage: &Rusage) -> Duration {
    duration(usage.system_time())
}

fn duration(time: TimeVal) -> Duration {
    let (seconds, micros) = (time.tv_sec().max(0) as u64, time.tv_usec().max(0) as u64);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// The peak of this process's own resident memory, which `getrusage` would mix with that of the
/// process it was forked from.
fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let text = line.and_then(|line| line.split_whitespace().next());
    text.and_then(|text| text.parse().ok())
        .context("/proc/self/status has no VmHWM")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_sees_the_work_between_start_and_stop() {
        let meter = Meter::start().unwrap();
        let started = Instant::now();
        while cpu(&getrusage(UsageWho::RUSAGE_SELF).unwrap())
            < cpu(&meter.before) + Duration::from_millis(20)
        {
            std::hint::black_box(started.elapsed());
        }
        let usage = meter.stop().unwrap();
        assert!(
            usage.cpu >= 0.02 && usage.wall > 0.0 && usage.peak_kib > 0,
            "{usage:?}"
        );
    }
}

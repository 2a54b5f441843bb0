//! The resources that a process uses: time, memory, context switches.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Usage as Rusage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The resources that a run used.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct ResourceUsage {
    /// Wall-clock time, in seconds.
    pub(crate) wall: f64,
    /// CPU time of all threads, user and system, in seconds.
    pub(crate) cpu: f64,
    /// The system part of the CPU time, in seconds.
    pub(crate) system: f64,
    /// CPU time of the main thread, in seconds.
    pub(crate) main_thread: f64,
    /// Peak resident memory since the process started, in KiB.
    pub(crate) peak_kib: u64,
    /// Voluntary context switches of all threads.
    pub(crate) switches: u64,
}

/// Measures this process and its children, from the start of the meter.
#[derive(Debug)]
pub(crate) struct ResourceMeter {
    before: Rusage,
    main: Duration,
    started: Instant,
}

impl ResourceMeter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            before: getrusage(UsageWho::RUSAGE_SELF)?,
            main: main_thread_cpu_time()?,
            started: Instant::now(),
        })
    }

    pub(crate) fn stop(self) -> Result<ResourceUsage> {
        let wall = self.started.elapsed().as_secs_f64();
        let main = main_thread_cpu_time()?
            .saturating_sub(self.main)
            .as_secs_f64();
        let after = getrusage(UsageWho::RUSAGE_SELF)?;
        // Includes clients that are separate commands.
        let others = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let switches = |usage: &Rusage| usage.voluntary_context_switches().max(0) as u64;
        Ok(ResourceUsage {
            wall,
            cpu: (cpu(&after) + cpu(&others))
                .saturating_sub(cpu(&self.before))
                .as_secs_f64(),
            main_thread: main,
            system: (system(&after) + system(&others))
                .saturating_sub(system(&self.before))
                .as_secs_f64(),
            peak_kib: peak_kib()?.max(others.max_rss().max(0) as u64),
            switches: switches(&after) + switches(&others) - switches(&self.before),
        })
    }
}

/// Runs `command` and prints its usage. This process starts no other child, so the figures of its
/// children are those of the command. Its own peak memory is less than that of any client.
pub(crate) fn run_measured(command: &[OsString]) -> Result<()> {
    crate::environment::pinning::pin_to(crate::environment::pinning::PinnedCore::Client)?;
    let (program, arguments) = command.split_first().context("no command to run")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let wall = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{} failed: {status}", program.display());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    print_usage(&ResourceUsage {
        wall,
        cpu: cpu(&usage).as_secs_f64(),
        main_thread: 0.0,
        system: system(&usage).as_secs_f64(),
        peak_kib: usage.max_rss().max(0) as u64,
        switches: usage.voluntary_context_switches().max(0) as u64,
    })
}

/// Prints `usage` as JSON, for the process that started this one.
pub(crate) fn print_usage(usage: &ResourceUsage) -> Result<()> {
    println!("{}", serde_json::to_string(usage)?);
    Ok(())
}

/// Runs this program with an internal subcommand and parses the usage that it prints.
pub(crate) fn run_self<A: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> Result<ResourceUsage> {
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

/// CPU time of the calling thread, which is the main thread.
fn main_thread_cpu_time() -> Result<Duration> {
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

/// The peak resident memory of this process. `getrusage` would include the process that it was
/// forked from.
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
    fn a_meter_measures_the_work_between_start_and_stop() {
        let meter = ResourceMeter::start().unwrap();
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

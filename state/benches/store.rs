//! CPU time, elapsed time, file sizes and memory of the store.
//!
//! `cargo bench -p fetch-state -- 1000000` commits that many requests, 1,000 at a time. Then it
//! opens the state again, and looks up that many completed requests and that many new ones.
//! docs/state.md compares the results with other stores.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use fetch_state::{CompletedRequest, CompletionKind, State, StateOptions};
use rustix::time::{ClockId, clock_gettime};

/// Requests per commit: those of 25 ms at 40,000 requests per second.
const BATCH: u64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count: u64 = count.unwrap_or(100_000);
    // On the disk of the build, because a temporary directory may be in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let options = StateOptions::new(directory.path().join("state"));
    commit(&options, count)?;
    println!(
        "  {:.2} bytes per request on disk",
        size(&options.directory)? as f64 / count as f64
    );
    look_up(&options, count)?;
    if let Some(peak) = peak_memory() {
        println!("  {peak} of memory at most");
    }
    Ok(())
}

fn commit(options: &StateOptions, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut state = State::open(options)?;
    let (mut claiming, mut committing) = (Stopwatch::default(), Stopwatch::default());
    for start in (0..count).step_by(BATCH as usize) {
        let tags = start..count.min(start + BATCH);
        claiming.time(|| -> io::Result<()> {
            for tag in tags.clone() {
                assert!(state.ledger.claim(digest(tag), tag)?);
            }
            Ok(())
        })?;
        committing.time(|| {
            let kind = CompletionKind::Ok;
            let completed: Vec<_> = tags.map(|tag| CompletedRequest { kind, tag }).collect();
            state.writer.add_written(&[], &completed);
            state.writer.commit()
        })?;
    }
    state.writer.finish()?;
    println!("{count} requests, each:");
    println!("  {}", claiming.line("claimed", count));
    println!("  {}", committing.line("committed", count));
    Ok(())
}

fn look_up(options: &StateOptions, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut opening = Stopwatch::default();
    let state = opening.time(|| State::open(options))?;
    println!("  {}", opening.line("opened again", 1));
    for (name, expected) in [("found completed", false), ("found not completed", true)] {
        let first = if expected { count } else { 0 };
        let mut finding = Stopwatch::default();
        finding.time(|| -> io::Result<()> {
            for tag in first..first + count {
                assert_eq!(state.ledger.claim(digest(tag), tag)?, expected);
            }
            Ok(())
        })?;
        println!("  {}", finding.line(name, count));
    }
    Ok(())
}

/// The digest of request `n`, distributed like a hash.
fn digest(n: u64) -> [u8; 16] {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = u128::from(mix(n.wrapping_add(1))) << 64 | u128::from(mix(n.wrapping_add(77)));
    bits.to_be_bytes()
}

/// Sums the CPU time of the process and the elapsed time.
#[derive(Default)]
struct Stopwatch {
    cpu: Duration,
    elapsed: Duration,
}

impl Stopwatch {
    fn time<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let (cpu, started) = (cpu_time(), Instant::now());
        let result = f();
        self.cpu += cpu_time() - cpu;
        self.elapsed += started.elapsed();
        result
    }

    fn line(&self, what: &str, count: u64) -> String {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let (cpu, elapsed) = (each(self.cpu), each(self.elapsed));
        format!("{what}: {cpu:.3} µs of CPU, {elapsed:.3} µs elapsed")
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn size(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?
        .map(|file| Ok(file?.metadata()?.len()))
        .sum()
}

/// The peak resident memory of the process; `None` on systems other than Linux.
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

//! Traces that were recorded by earlier versions are still read.

use std::fs;
use std::path::Path;

use super::random_site::{SECRET, example_run_with_cancels};
use crate::format::frame::VERSION;
use crate::reader::TraceEnd;
use crate::{explain, replay, what_if};

const HISTORY: &str = "\
http://h2.test/20?token=REDACTED

fetch 21 (tag 20), 200 ms after the start
  +0.000s  GET is submitted; other live fetches: 19, at http://h2.test: 6
  +0.000s  policy: no rule matches: the default; limits: attempt 6 s, connect 10 s, idle read 30 s, queue 60 min, total 300 s
  +0.000s  waits: the limit of 5 attempts in flight is reached
  +0.400s  cancelled by the caller
  +0.400s  over: cancelled; attempts: 0, time in queues: 400 ms, time between attempts: 0 s";

/// The trace in this format. `UPDATE_GOLDEN=1` records the file of the current format if there is none.
fn golden(format: u16) -> Vec<u8> {
    let name = format!("src/tests/golden/format-{format}.trace");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if format == VERSION && !path.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, example_run_with_cancels().record().0).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// If the core makes another decision on purpose, this version's files stay, and the replay of older ones is only
/// compared up to its first difference.
#[test]
fn a_trace_of_every_format_is_read_and_replays_identically() {
    for format in 2..=VERSION {
        let file = golden(format);
        let report = replay(&file[..]).unwrap();
        assert!(report.is_identical(), "{report}");
        assert_eq!(report.ending, TraceEnd::Complete);
        assert_eq!((report.fetches, report.outcomes, report.seed), (40, 40, 7));
        assert_eq!((report.attempts, report.calls), (31, 486));
        let history = explain(&file[..], "http://h2.test/20?token=whatever").unwrap();
        assert_eq!(history.to_string(), HISTORY);
        let comparison = what_if(&file[..], |config| config).unwrap();
        assert_eq!(comparison.recorded.stats().count(), 40);
        let is_secret = |window: &[u8]| window == SECRET.as_bytes();
        assert!(!file.windows(SECRET.len()).any(is_secret));
    }
}

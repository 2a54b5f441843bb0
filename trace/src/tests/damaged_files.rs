//! Files that are cut off, damaged, or not traces.

use std::io;

use fetch_proto::{EngineConfig, Timestamp};
use proptest::prelude::*;

use super::random_site::{any_run, example_run};
use crate::format::frame::{FrameBuffer, HEAD_LEN, MAGIC};
use crate::reader::TraceEnd;
use crate::recorded_engine::RecordedEngine;
use crate::recorder::TraceRecorder;
use crate::{TraceError, explain, replay, what_if};

/// Returns the offset of the first frame of entries.
fn entries_start(file: &[u8]) -> usize {
    let head = MAGIC.len() + 2;
    let length: [u8; 4] = file[head..head + 4].try_into().unwrap();
    head + HEAD_LEN + u32::from_le_bytes(length) as usize
}

/// Returns a file with the head of `file` and these frames, each with a valid hash.
fn build_file(file: &[u8], contents: &[&[u8]]) -> Vec<u8> {
    let mut file = file[..entries_start(file)].to_vec();
    for content in contents {
        let mut frame = FrameBuffer::new(content.len());
        frame.content().extend_from_slice(content);
        frame.write(&mut file).unwrap();
    }
    file
}

#[test]
fn a_truncated_file_is_usable_up_to_the_cut() {
    let (file, _) = example_run().record();
    let start = entries_start(&file);
    let mut most = 0;
    // All offsets near the head and the end, and some in between.
    let cuts = (0..file.len())
        .filter(|cut| cut % 61 == 0 || cut.abs_diff(start) < 20 || file.len() - cut < 20);
    for cut in cuts {
        match replay(&file[..cut]) {
            Err(error) => assert!(cut < start, "{cut}: {error}"),
            Ok(report) => {
                assert!(cut >= start && report.is_identical(), "{cut}: {report}");
                assert!(
                    matches!(report.ending, TraceEnd::Cut { at } if at <= cut as u64),
                    "{report}"
                );
                most = most.max(report.calls);
            }
        }
    }
    let all = replay(&file[..]).unwrap();
    assert!(0 < most && most <= all.calls, "{most} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_bit_is_detected(run in any_run(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (mut file, _) = run.record();
        let place = place.index(file.len());
        file[place] ^= 1 << bit;
        let found = match replay(&file[..]) {
            Ok(report) => report.ending != TraceEnd::Complete,
            Err(_) => true,
        };
        prop_assert!(found, "byte {}", place);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = replay(&bytes[..]);
        let (file, _) = example_run().record();
        // After a valid head, and in a frame with a valid hash.
        let mut after = file[..entries_start(&file)].to_vec();
        after.extend_from_slice(&bytes);
        let _ = replay(&after[..]);
        let framed = build_file(&file, &[&bytes]);
        let _ = replay(&framed[..]);
        let _ = what_if(&framed[..], |config| config);
        let _ = explain(&framed[..], "http://h1.test/1");
    }

    /// Valid entries with a few bytes changed, in a frame with a valid hash.
    #[test]
    fn invalid_entries_do_not_panic(
        run in any_run(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (file, _) = run.record();
        let mut entries = file[entries_start(&file) + HEAD_LEN..].to_vec();
        for (place, byte) in changes {
            let place = place.index(entries.len());
            entries[place] = byte;
        }
        let framed = build_file(&file, &[&entries]);
        let _ = replay(&framed[..]);
        let _ = what_if(&framed[..], |config| config);
        let _ = explain(&framed[..], "http://h1.test/1");
    }
}

#[test]
fn a_file_that_is_not_a_trace_is_an_error() {
    let error = |bytes: &[u8]| replay(bytes).unwrap_err();
    assert!(matches!(error(b""), TraceError::NotATrace));
    assert!(matches!(
        error(b"http://a.test/\nhttp://b.test/\n"),
        TraceError::NotATrace
    ));
    let (mut file, _) = example_run().record();
    file[MAGIC.len()] = 9;
    assert!(error(&file).to_string().contains("format 9"));
}

#[test]
fn a_frame_after_the_end_is_reported_as_damage() {
    let (file, _) = example_run().record();
    let twice = [&file[..], &file[entries_start(&file)..]].concat();
    let report = replay(&twice[..]).unwrap();
    assert_eq!(
        report.ending,
        TraceEnd::Damaged {
            at: file.len() as u64
        }
    );
}

/// Accepts a number of bytes, then fails.
struct LimitedWriter(usize);

impl io::Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other("disk full"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_error_is_reported_once_and_the_engine_continues() {
    let (sender, errors) = std::sync::mpsc::channel();
    let report = move |error: io::Error| sender.send(error.to_string()).unwrap();
    let now = Timestamp::START;
    let config = EngineConfig::default().window(100_000);
    let mut engine = RecordedEngine::recording(config, 7, now, LimitedWriter(40_000), report);
    for n in 0..100_000 {
        let url = format!("http://{n}.test/{n}").parse().unwrap();
        engine
            .submit(fetch_proto::FetchRequest::get(url), now)
            .unwrap();
    }
    assert_eq!(engine.stats().live, 100_000);
    assert_eq!(errors.try_iter().collect::<Vec<_>>(), ["disk full"]);
    assert!(engine.finish().is_none());
}

#[test]
fn a_killed_process_loses_at_most_one_frame_or_second() {
    #[derive(Clone, Default)]
    struct SharedFile(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl io::Write for SharedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let file = SharedFile::default();
    let mut engine = RecordedEngine::recording(
        EngineConfig::default(),
        7,
        Timestamp::START,
        file.clone(),
        drop,
    );
    for n in 0..10 {
        let _ = engine.poll(Timestamp::from_nanos(n * 500_000_000));
    }
    let seen = file.0.lock().unwrap().clone();
    std::mem::forget(engine);
    let report = replay(&seen[..]).unwrap();
    assert!(report.is_identical() && report.calls >= 8, "{report}");
    assert!(matches!(report.ending, TraceEnd::Cut { .. }), "{report}");
}

#[test]
fn dropping_a_recorder_completes_its_trace() {
    let mut file = Vec::new();
    drop(TraceRecorder::new(&mut file, &EngineConfig::default(), 7, Timestamp::START).unwrap());
    assert_eq!(replay(&file[..]).unwrap().ending, TraceEnd::Complete);
}

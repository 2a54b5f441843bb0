//! Traces of runs.

use std::sync::LazyLock;
use std::time::Duration;

use fetch_proto::{
    EngineConfig, EngineOutput, FailureKind, FetchRequest, HeadSummary, Input, Timestamp,
};
use fetch_trace::{RecordedEngine, TraceEnd, explain, replay, what_if};
use xxhash_rust::xxh3::xxh3_64;

/// The bytes before a trace's first frame: magic bytes and version.
const HEAD: usize = 10;

/// The bytes before a frame's content: length and hash.
const FRAME_HEAD: usize = 12;

/// A trace of a few fetches.
static EXAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let config = EngineConfig::default().concurrency(3).per_host(2);
    let at = |millis| Timestamp::from_start(Duration::from_millis(millis));
    let mut engine =
        RecordedEngine::recording(config, 7, at(0), Vec::new(), |error| panic!("{error}"));
    for number in 0..8 {
        let url = format!("http://h{}.test/{number}?a=b", number % 3);
        let request = FetchRequest::get(url.parse().expect("a valid URL"));
        engine
            .submit(request.tag(number), at(number))
            .expect("there is room");
    }
    let mut now = 10;
    for turn in 0..1000 {
        now += 50;
        match engine.poll(at(now)) {
            EngineOutput::Start(attempt) => {
                let head = [200, 503, 429, 200, 302][turn % 5];
                let head = HeadSummary::status(head).location(Some("/moved".into()));
                engine.handle(attempt.id, Input::Head(head), at(now + 20));
                engine.handle(attempt.id, Input::Body { bytes: 1000 }, at(now + 30));
                let end = if turn % 7 == 0 {
                    Err(FailureKind::Io)
                } else {
                    Ok(())
                };
                engine.handle(attempt.id, Input::End(end), at(now + 40));
            }
            EngineOutput::Idle(idle) if idle.live == 0 => break,
            _ => {}
        }
    }
    engine.finish().expect("a recording")
});

/// Changes of a trace, of three bytes each: where, and which bits. A trace whose frames have a wrong hash is
/// used up to there, and replayed identically.
pub fn check_trace(input: &[u8]) {
    let mut file = EXAMPLE.clone();
    change(&mut file, input);
    match replay(&file[..]) {
        Err(error) => assert_ne!(file, *EXAMPLE, "{error}"),
        Ok(report) => {
            assert!(report.is_identical(), "{report}");
            assert!(file != *EXAMPLE || report.ending == TraceEnd::Complete);
        }
    }
    read(&file);
}

/// The same changes within frames, which get the hash of what they contain then: somebody else has made the
/// trace. Whatever it contains, it is read to its end or refused.
pub fn check_trace_frames(input: &[u8]) {
    let (mut frames, mut rest) = (Vec::new(), &EXAMPLE[HEAD..]);
    while let Some((head, after)) = rest.split_first_chunk::<FRAME_HEAD>() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (content, after) = after.split_at(length);
        frames.push(content.to_vec());
        rest = after;
    }
    let count = frames.len();
    let (which, changes) = input.split_first().unwrap_or((&0, &[]));
    change(&mut frames[usize::from(*which) % count], changes);
    let mut file = EXAMPLE[..HEAD].to_vec();
    for content in frames {
        file.extend((content.len() as u32).to_le_bytes());
        file.extend(xxh3_64(&content).to_le_bytes());
        file.extend(content);
    }
    let _ = replay(&file[..]);
    read(&file);
}

fn read(file: &[u8]) {
    let _ = explain(file, "http://h1.test/1?a=b");
    let _ = what_if(file, |config| config.concurrency(1));
}

fn change(bytes: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len().max(1);
        match change[2] {
            // Cuts and insertions, too.
            0 => bytes.truncate(at),
            1 => bytes.insert(at, 0xff),
            bits => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
        }
    }
}

//! Cost of recording, replaying and comparing one fetch with status 200, beside the engine alone. Prints the
//! bytes per fetch first.
//! `cargo bench -p fetch-trace --bench recording`.

use std::io::{self, Write};
use std::time::Duration;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use fetch_proto::{
    AttemptId, AttemptPhase, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input,
    Timestamp,
};
use fetch_trace::{RecordedEngine, replay, what_if};

/// Fetches in one sample.
const COUNT: u64 = 10_000;
const SEED: u64 = 7;

fn main() {
    for (name, url) in [
        ("plain URLs", plain as fn(u64) -> String),
        ("signed URLs", signed),
    ] {
        let file = run(
            RecordedEngine::recording(EngineConfig::default(), SEED, START, Vec::new(), fail),
            url,
        );
        let bytes = file.finish().expect("writing to memory cannot fail").len() as u64;
        let urls: u64 = (0..COUNT).map(|n| url(n).len() as u64).sum();
        println!(
            "{name}: {} bytes each, {} of text",
            bytes / COUNT,
            urls / COUNT
        );
    }
    divan::main();
}

const START: Timestamp = Timestamp::START;

/// The engine in a [`RecordedEngine`] without a recorder.
#[divan::bench]
fn not_recorded(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        run(
            RecordedEngine::<io::Sink>::new(EngineConfig::default(), SEED, START),
            plain,
        )
    });
}

#[divan::bench(args = ["plain", "signed"])]
fn recorded(bencher: Bencher<'_, '_>, urls: &str) {
    let url = if urls == "plain" { plain } else { signed };
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        run(
            RecordedEngine::recording(EngineConfig::default(), SEED, START, io::sink(), fail),
            url,
        )
    });
}

#[divan::bench]
fn replayed(bencher: Bencher<'_, '_>) {
    let file = run(
        RecordedEngine::recording(EngineConfig::default(), SEED, START, Vec::new(), fail),
        plain,
    );
    let file = file.finish().expect("writing to memory cannot fail");
    bencher
        .counter(ItemsCount::new(COUNT))
        .counter(BytesCount::new(file.len()))
        .bench_local(|| assert!(replay(&file[..]).expect("a trace").is_identical()));
}

/// Both simulations of the same fetches under other settings, in virtual time.
#[divan::bench]
fn compared(bencher: Bencher<'_, '_>) {
    let file = run(
        RecordedEngine::recording(EngineConfig::default(), SEED, START, Vec::new(), fail),
        plain,
    );
    let file = file.finish().expect("writing to memory cannot fail");
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| what_if(&file[..], |recorded| recorded.concurrency(1)).expect("a trace"));
}

fn fail(error: io::Error) {
    panic!("{error}");
}

fn plain(n: u64) -> String {
    format!("https://{}.example.com/catalogue/items/{n}", n % 50)
}

fn signed(n: u64) -> String {
    let signature = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "https://{}.example.com/items/{n}?X-Amz-Signature={signature:016x}",
        n % 50
    )
}

/// Runs the fetches one after the other. The clock advances with each call.
fn run<W: Write>(mut engine: RecordedEngine<W>, url: fn(u64) -> String) -> RecordedEngine<W> {
    let mut now = START;
    let mut tick = move || {
        now = now + Duration::from_nanos(1_700);
        now
    };
    for n in 0..COUNT {
        let url = url(n).parse().expect("it is a URL");
        let request = FetchRequest::get(url).tag(n);
        engine.submit(request, tick()).expect("there is room");
        loop {
            match engine.poll(tick()) {
                EngineOutput::Start(attempt) => answer(&mut engine, attempt.id, &mut tick),
                EngineOutput::Done(..) => {}
                EngineOutput::Idle(idle) if idle.live == 0 => break,
                _ => {}
            }
        }
    }
    engine
}

fn answer<W: Write>(
    engine: &mut RecordedEngine<W>,
    id: AttemptId,
    tick: &mut impl FnMut() -> Timestamp,
) {
    let now = tick();
    for phase in [AttemptPhase::Reused, AttemptPhase::Sent] {
        engine.handle(id, Input::Mark(phase, now), now);
    }
    engine.handle(id, Input::Head(HeadSummary::status(200)), tick());
    engine.handle(id, Input::Body { bytes: 5_000 }, tick());
    engine.handle(id, Input::End(Ok(())), tick());
}

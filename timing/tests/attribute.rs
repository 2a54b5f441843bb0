//! `#[timed]` on all kinds of functions, observed by a logger that collects per thread.

#![deny(warnings)]

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::future::pending;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use fetch_timing::{TARGET, scope, timed};
use futures_lite::future::{block_on, or, poll_once, yield_now};
use log::{Level, LevelFilter, Log, Metadata, Record};

thread_local!(static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) });

struct PerThreadLogger;

impl Log for PerThreadLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && metadata.level() <= Level::Debug
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = record.args().to_string();
        for key in ["name", "elapsed_us", "outcome"] {
            let value = record.key_values().get(key.into()).expect(key);
            line += &format!("|{value}");
        }
        LINES.with_borrow_mut(|lines| lines.push((record.level(), line)));
    }

    fn flush(&self) {}
}

/// Returns level, name and outcome of each report of `work`.
fn reports<T>(work: impl FnOnce() -> T) -> Vec<(Level, String, String)> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&PerThreadLogger).expect("no other logger");
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with_borrow_mut(Vec::clear);
    let _panicked = catch_unwind(AssertUnwindSafe(work));
    let lines = LINES.with_borrow_mut(std::mem::take);
    lines
        .into_iter()
        .map(|(level, line)| parse(level, &line))
        .collect()
}

fn parse(level: Level, line: &str) -> (Level, String, String) {
    let [message, name, elapsed_us, outcome] = line.split('|').collect::<Vec<_>>()[..] else {
        panic!("unexpected line {line}");
    };
    let micros: u64 = elapsed_us.parse().expect("whole microseconds");
    let (secs, micros) = (micros / 1_000_000, micros % 1_000_000);
    assert_eq!(
        message,
        format!("timed {name}: {secs}.{micros:06} s ({outcome})")
    );
    (level, name.to_owned(), outcome.to_owned())
}

fn single_report<T>(work: impl FnOnce() -> T) -> (Level, String, String) {
    let mut reports = reports(work);
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

fn expected(name: &str, outcome: &str) -> (Level, String, String) {
    (Level::Info, name.to_owned(), outcome.to_owned())
}

#[timed]
fn plain(text: &str) -> Result<u32, ParseIntError> {
    let number: u32 = text.parse()?;
    if number == 0 {
        return Ok(1);
    }
    Ok(number * 2)
}

#[timed(name = "a name", level = "debug")]
async fn fallible(text: &str) -> Result<impl Display + Debug, ParseIntError> {
    yield_now().await;
    let number: u32 = text.parse()?;
    Ok(number)
}

#[timed]
async fn forever() {
    pending::<()>().await;
}

#[timed]
async fn panics() -> u32 {
    yield_now().await;
    panic!("on purpose")
}

/// Documented.
#[timed(name = "generic")]
#[inline]
pub(crate) async fn generic<'a, T, const N: usize>(parts: &'a [T; N], mut from: usize) -> &'a [T]
where
    T: Display + 'a,
{
    from += 1;
    &parts[from..]
}

#[timed(name = "opaque")]
fn opaque<'a>(text: &'a str) -> impl Iterator<Item = char> + 'a {
    text.chars().rev()
}

#[timed(name = "unit")]
async fn unit((_a, b): (u8, u8)) {
    if b == 0 {
        return;
    }
    yield_now().await;
}

#[timed(name = "one line")]
#[rustfmt::skip]
async fn never() -> ! { loop { pending::<()>().await } }

#[timed(name = "items")]
fn items() -> u32 {
    const ONE: u32 = 1;
    fn two() -> u32 {
        2
    }
    ONE + two()
}

struct Counter(u32);

trait Counts {
    #[timed(name = "provided")]
    fn provided(&self) -> u32 {
        self.count() + 1
    }
    fn count(&self) -> u32;
}

impl Counts for Counter {
    #[timed(name = "count")]
    fn count(&self) -> u32 {
        self.0
    }
}

impl Counter {
    #[timed(name = "add")]
    async fn add(&mut self, number: u32) -> &mut u32 {
        yield_now().await;
        self.0 += number;
        &mut self.0
    }

    #[timed(name = "consume")]
    async fn consume(self: Box<Self>) -> u32 {
        self.0
    }
}

mod facade {
    pub(crate) use fetch_timing as timing;
}

#[timed(name = "by path", crate = "crate::facade::timing")]
fn by_path() {}

#[timed(name = "recursive")]
fn recursive(depth: u32) -> u32 {
    if depth == 0 {
        0
    } else {
        recursive(depth - 1) + 1
    }
}

#[test]
fn a_sync_function_is_named_by_its_path_and_finishes_at_any_return() {
    for (text, outcome) in [("21", "finished"), ("0", "finished"), ("x", "failed")] {
        assert_eq!(
            single_report(|| plain(text)),
            expected("attribute::plain", outcome)
        );
    }
    assert_eq!((plain("21"), plain("0")), (Ok(42), Ok(1)));
}

#[test]
fn name_and_level_can_be_set() {
    let report = single_report(|| block_on(fallible("7")).map(|n| n.to_string()));
    assert_eq!(report, (Level::Debug, "a name".into(), "finished".into()));
    assert_eq!(single_report(|| block_on(fallible("x")).err()).2, "failed");
    assert_eq!(block_on(fallible("7")).unwrap().to_string(), "7");
}

#[test]
fn a_dropped_async_function_is_cancelled() {
    let report = single_report(|| block_on(or(forever(), yield_now())));
    assert_eq!(report, expected("attribute::forever", "cancelled"));
}

#[test]
fn a_panicking_async_function_is_panicked() {
    assert_eq!(
        single_report(|| block_on(panics())),
        expected("attribute::panics", "panicked")
    );
}

#[test]
fn an_async_function_that_is_never_polled_is_silent() {
    assert_eq!(reports(|| drop(forever())), []);
}

#[test]
fn lifetimes_generics_patterns_and_opaque_types_work() {
    assert_eq!(
        single_report(|| block_on(generic(&[1, 2, 3], 0))),
        expected("generic", "finished")
    );
    assert_eq!(block_on(generic(&[1, 2, 3], 0)), [2, 3]);
    assert_eq!(
        single_report(|| opaque("ab").count()),
        expected("opaque", "finished")
    );
    assert_eq!(opaque("ab").collect::<String>(), "ba");
    assert_eq!(
        single_report(|| block_on(unit((1, 0)))),
        expected("unit", "finished")
    );
    let never = single_report(|| block_on(poll_once(never())));
    assert_eq!(never, expected("one line", "cancelled"));
    assert_eq!(single_report(items), expected("items", "finished"));
}

#[test]
fn methods_work_with_every_receiver() {
    let mut counter = Counter(1);
    assert_eq!(
        single_report(|| *block_on(counter.add(2))),
        expected("add", "finished")
    );
    let reports = reports(|| assert_eq!(counter.provided(), 4));
    assert_eq!(
        reports,
        [
            expected("count", "finished"),
            expected("provided", "finished")
        ]
    );
    assert_eq!(
        single_report(|| block_on(Box::new(Counter(3)).consume())),
        expected("consume", "finished")
    );
}

#[test]
fn the_crate_path_can_be_set() {
    assert_eq!(single_report(by_path), expected("by path", "finished"));
}

#[test]
fn each_call_of_a_recursion_is_reported() {
    assert_eq!(reports(|| recursive(2)).len(), 3);
}

#[test]
fn a_level_that_is_off_reports_nothing() {
    #[timed(level = "trace")]
    fn quiet() {}
    assert_eq!(reports(quiet), []);
}

#[test]
fn function_and_scope_log_like_the_attribute() {
    assert_eq!(
        single_report(|| timed("closure", || 1)),
        expected("closure", "finished")
    );
    assert_eq!(
        single_report(|| drop(scope(String::from("owned")))),
        expected("owned", "finished")
    );
}

#[test]
fn the_async_future_stays_send() {
    fn is_send<T: Send>(_: T) {}
    is_send(fallible("1"));
    is_send(Counter(0).add(1));
}

type Parsed<T> = Result<T, ParseIntError>;

#[timed(name = "alias")]
fn alias(text: &str) -> Parsed<u32> {
    text.parse()
}

#[timed(name = "alias")]
async fn async_alias(text: &str) -> Parsed<u32> {
    yield_now().await;
    text.parse()
}

#[timed(name = "reborrow")]
fn reborrow(list: &mut Vec<u8>) -> &mut u8 {
    if list.is_empty() {
        list.push(1);
    }
    &mut list[0]
}

#[timed(name = "generic value")]
fn generic_value<T: Clone>(value: &T) -> T {
    value.clone()
}

struct Sum(u32);

impl Sum {
    #[timed(name = "method")]
    fn try_add(&mut self, text: &str) -> Result<&mut Self, ParseIntError> {
        self.0 += text.parse::<u32>()?;
        Ok(self)
    }
}

#[test]
fn an_err_is_failed_whatever_the_result_is_called() {
    let outcome = |report: (Level, String, String)| report.2;
    for (text, expected) in [("1", "finished"), ("x", "failed")] {
        let mut counter = Sum(0);
        assert_eq!(outcome(single_report(|| plain(text))), expected);
        assert_eq!(outcome(single_report(|| alias(text))), expected);
        assert_eq!(
            outcome(single_report(|| block_on(async_alias(text)))),
            expected
        );
        assert_eq!(
            outcome(single_report(|| block_on(fallible(text)).is_ok())),
            expected
        );
        assert_eq!(
            outcome(single_report(|| counter.try_add(text).is_ok())),
            expected
        );
    }
    assert_eq!(
        outcome(single_report(|| *reborrow(&mut Vec::new()))),
        "finished"
    );
    assert_eq!(outcome(single_report(|| generic_value(&7))), "finished");
}

//! Start and end of timed futures.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use fetch_timing::{TimedExt, TimedOutcome, TimingReport};
use futures_lite::future::{block_on, or, poll_once, yield_now};

type Seen = RefCell<Vec<TimingReport>>;

fn outcomes(seen: &Seen) -> Vec<TimedOutcome> {
    seen.borrow().iter().map(|report| report.outcome).collect()
}

#[test]
fn the_elapsed_time_includes_waits() {
    let seen = Seen::default();
    let work = async {
        yield_now().await;
        thread::sleep(Duration::from_millis(5));
        7
    };
    assert_eq!(
        block_on(work.timed_with("work", |report| seen.borrow_mut().push(report))),
        7
    );
    assert_eq!(outcomes(&seen), [TimedOutcome::Finished]);
    assert!(seen.borrow()[0].elapsed >= Duration::from_millis(5));
}

#[test]
fn the_report_is_made_with_the_output_not_at_the_drop() {
    let seen = Seen::default();
    let mut future = Box::pin(async {}.timed_with("work", |report| seen.borrow_mut().push(report)));
    assert_eq!(block_on(poll_once(&mut future)), Some(()));
    assert_eq!(outcomes(&seen), [TimedOutcome::Finished]);
    drop(future);
    assert_eq!(outcomes(&seen), [TimedOutcome::Finished]);
}

#[test]
fn a_pending_future_reports_cancelled_when_dropped() {
    let seen = Seen::default();
    let slow = pending::<()>().timed_with("slow", |report| seen.borrow_mut().push(report));
    block_on(or(slow, yield_now()));
    assert_eq!(outcomes(&seen), [TimedOutcome::Cancelled]);
}

#[test]
fn a_future_that_is_never_polled_reports_nothing() {
    let seen = Seen::default();
    drop(pending::<()>().timed_with("idle", |report| seen.borrow_mut().push(report)));
    assert_eq!(outcomes(&seen), []);
}

#[test]
fn a_panicking_poll_reports_panicked_immediately() {
    let seen = Seen::default();
    let work = async {
        yield_now().await;
        panic!("on purpose");
    };
    let mut future = Box::pin(work.timed_with("work", |report| seen.borrow_mut().push(report)));
    assert!(block_on(poll_once(&mut future)).is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(poll_once(&mut future)))).is_err());
    assert_eq!(outcomes(&seen), [TimedOutcome::Panicked]);
    drop(future);
    assert_eq!(outcomes(&seen), [TimedOutcome::Panicked]);
}

#[test]
fn a_future_dropped_by_another_panic_reports_cancelled() {
    let seen = Seen::default();
    let both = || {
        let slow = pending::<()>().timed_with("slow", |report| seen.borrow_mut().push(report));
        block_on(or(slow, async { panic!("on purpose") }));
    };
    assert!(catch_unwind(AssertUnwindSafe(both)).is_err());
    assert_eq!(outcomes(&seen), [TimedOutcome::Cancelled]);
}

#[test]
fn many_polls_make_one_report() {
    let seen = Seen::default();
    let polls = Cell::new(0);
    let work = poll_fn(|cx| {
        polls.set(polls.get() + 1);
        cx.waker().wake_by_ref();
        if polls.get() < 100 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    });
    block_on(work.timed_with("work", |report| seen.borrow_mut().push(report)));
    assert_eq!((polls.get(), outcomes(&seen).len()), (100, 1));
}

#[test]
fn a_timed_future_is_send_when_its_future_is() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&async {}.timed("work"));
}

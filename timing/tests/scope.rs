//! Reports of scopes and closures.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use fetch_timing::{Reporter, Scope, TimedOutcome, TimingReport, timed_with};

/// Runs `work` with a list for reports and returns the list.
fn reports(work: impl FnOnce(&RefCell<Vec<TimingReport>>)) -> Vec<TimingReport> {
    let seen = RefCell::default();
    let _panicked = catch_unwind(AssertUnwindSafe(|| work(&seen)));
    seen.into_inner()
}

fn outcomes(work: impl FnOnce(&RefCell<Vec<TimingReport>>)) -> Vec<TimedOutcome> {
    reports(work)
        .into_iter()
        .map(|report| report.outcome)
        .collect()
}

fn scope_into<'a>(
    seen: &'a RefCell<Vec<TimingReport>>,
    name: &'static str,
) -> Scope<impl Reporter + 'a> {
    Scope::with(name, |report| seen.borrow_mut().push(report))
}

#[test]
fn a_dropped_scope_reports_name_and_elapsed_time() {
    let reports = reports(|seen| {
        let _scope = scope_into(seen, "nap");
        thread::sleep(Duration::from_millis(5));
    });
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (&*reports[0].name, reports[0].outcome),
        ("nap", TimedOutcome::Finished)
    );
    assert!(reports[0].elapsed >= Duration::from_millis(5));
    assert!(reports[0].elapsed_us() >= 5_000);
}

#[test]
fn a_scope_reports_once_however_it_ends() {
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").finish()),
        [TimedOutcome::Finished]
    );
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").fail()),
        [TimedOutcome::Failed]
    );
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").finish_with(&Ok::<_, ()>(1))),
        [TimedOutcome::Finished]
    );
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").finish_with(&Err::<(), _>(1))),
        [TimedOutcome::Failed]
    );
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").cancel()),
        [TimedOutcome::Cancelled]
    );
    assert_eq!(
        outcomes(|seen| drop(scope_into(seen, "a").must_finish())),
        [TimedOutcome::Cancelled]
    );
    assert_eq!(
        outcomes(|seen| scope_into(seen, "a").must_finish().finish()),
        [TimedOutcome::Finished]
    );
}

#[test]
fn an_unwinding_scope_reports_panicked() {
    let panics = |seen: &_| {
        let _outer = scope_into(seen, "outer");
        let _inner = scope_into(seen, "inner").must_finish();
        panic!("on purpose");
    };
    assert_eq!(
        outcomes(panics),
        [TimedOutcome::Panicked, TimedOutcome::Panicked]
    );
}

#[test]
fn a_scope_in_a_destructor_does_not_report_an_outer_panic() {
    struct CleansUp<'a>(&'a RefCell<Vec<TimingReport>>);
    impl Drop for CleansUp<'_> {
        fn drop(&mut self) {
            let _scope = scope_into(self.0, "clean up");
        }
    }
    let panics = |seen: &_| {
        let _cleans_up = CleansUp(seen);
        panic!("on purpose");
    };
    assert_eq!(outcomes(panics), [TimedOutcome::Finished]);
}

#[test]
fn a_timed_closure_returns_its_value_and_reports_errors_as_finished() {
    let mut seen = None;
    let result: Result<u8, _> = timed_with("parse", |report| seen = Some(report), || "x".parse());
    assert!(result.is_err());
    assert_eq!(seen.unwrap().outcome, TimedOutcome::Finished);
}

#[test]
fn a_panicking_closure_reports_before_the_panic_is_caught() {
    let panics = |seen: &RefCell<Vec<TimingReport>>| {
        timed_with(
            "p",
            |report| seen.borrow_mut().push(report),
            || panic!("on purpose"),
        );
    };
    assert_eq!(outcomes(panics), [TimedOutcome::Panicked]);
}

#[test]
fn a_reporter_that_is_off_gets_no_report() {
    struct Off;
    impl Reporter for Off {
        fn enabled(&self) -> bool {
            false
        }
        fn report(self, report: TimingReport) {
            panic!("reported {report}");
        }
    }
    let scope = Scope::to(Off, "off");
    assert!(
        format!("{scope:?}").contains("None"),
        "neither a name nor a start is stored"
    );
    drop(scope);
}

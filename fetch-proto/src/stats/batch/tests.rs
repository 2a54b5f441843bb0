use super::*;
use crate::testing::{FetchScript, failure, status};
use crate::{FailureKind, Policy};
use alloc::string::ToString;

fn stats() -> BatchStats {
    let ms = Duration::from_millis;
    let ok = FetchSample::new(SampleEnd::Status(204), ms(10));
    let mut stats = BatchStats::default();
    for sample in [
        FetchSample {
            bytes: 2000,
            first_byte: Some(ms(4)),
            redirects: 2,
            attempts: 3,
            ..ok
        },
        FetchSample {
            end: SampleEnd::Status(399),
            ..ok
        },
        FetchSample {
            end: SampleEnd::Status(400),
            ..ok
        },
        FetchSample {
            end: SampleEnd::Failed("tls"),
            attempts: 3,
            retries: 2,
            total: ms(70),
            ..ok
        },
        FetchSample {
            end: SampleEnd::Failed("dns"),
            ..ok
        },
        FetchSample {
            end: SampleEnd::Failed("dns"),
            ..ok
        },
        FetchSample {
            end: SampleEnd::TimedOut(TimeLimit::FirstByte),
            ..ok
        },
        FetchSample {
            end: SampleEnd::Cancelled,
            attempts: 0,
            ..ok
        },
    ] {
        stats.record(&sample);
    }
    stats
}

#[test]
fn every_fetch_is_counted_once() {
    let stats = stats();
    assert_eq!(
        (stats.succeeded(), stats.http_errors(), stats.cancelled()),
        (2, 1, 1)
    );
    assert_eq!(
        stats.failures().collect::<alloc::vec::Vec<_>>(),
        [("dns", 2), ("tls", 1)]
    );
    assert_eq!(stats.timed_out(TimeLimit::FirstByte), 1);
    assert_eq!(stats.timed_out(TimeLimit::Total), 0);
    assert_eq!(stats.count(), 8);
}

#[test]
fn summary_lists_all_figures_in_four_lines() {
    assert_eq!(
        stats().to_string(),
        "8 fetched: 2 succeeded, 1 HTTP error, 3 failed (2 dns, 1 tls), 1 timed out (1 first_byte), 1 cancelled\n\
         11 attempts, 2 retries, 2 redirects, 1.9 KiB\n\
         total time: p50 10 ms, p90 70 ms, p99 70 ms, max 70 ms\n\
         first byte: p50 4 ms, p90 4 ms, p99 4 ms, max 4 ms"
    );
    let empty = BatchStats::default().to_string();
    assert_eq!(
        empty,
        "0 fetched: 0 succeeded\n0 attempts, 0 retries, 0 redirects, 0 B"
    );
}

#[test]
fn merging_adds_all_figures() {
    let (one, mut both) = (stats(), stats());
    both.merge(&one);
    assert_eq!(
        (both.count(), both.failed("dns"), both.attempts()),
        (16, 4, 22)
    );
    assert_eq!((both.bytes(), both.first_byte().count()), (4000, 2));
    let mut fresh = BatchStats::default();
    fresh.merge(&one);
    assert_eq!(fresh, one);
}

#[test]
fn largest_size_can_be_displayed() {
    let most = FetchSample {
        bytes: u64::MAX,
        ..FetchSample::new(SampleEnd::Status(200), Duration::ZERO)
    };
    let mut stats = BatchStats::default();
    stats.record(&most);
    stats.record(&most);
    assert!(stats.to_string().contains("15.9 EiB"));
}

#[cfg(feature = "serde")]
#[test]
fn serialized_form_has_percentiles() {
    let json = serde_json::to_value(stats()).unwrap();
    assert_eq!(json["failed"]["dns"], 2);
    assert_eq!(json["total"]["count"], 8);
}

#[test]
fn attempts_without_a_connection_are_no_requests() {
    let mut script = FetchScript::new(Policy::default().attempts(5));
    script.answers([
        failure(FailureKind::Exhausted),
        failure(FailureKind::Connect),
        failure(FailureKind::Resolve),
        failure(FailureKind::EmptyReply),
        status(200),
    ]);
    let run = script.run();
    assert_eq!(run.outcome().attempts.len(), 5);
    assert_eq!(FetchSample::from(run.outcome()).attempts, 2);
}

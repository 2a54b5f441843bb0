//! Metrics and spans of fetches.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fetch_driver::{Backoff, Policy};
use fetch_smol::{Builder, Smol, StreamExt};
use fetch_testbed::Site;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Serialises the tests, because tracing caches for the whole process whether a span is enabled.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Fetches these paths on the current thread.
fn fetch(site: &Site, paths: &[&str]) {
    let executor = Arc::new(smol::Executor::new());
    let quick = Backoff::default()
        .base(Duration::from_millis(1))
        .jitter(None);
    let fetcher = Builder::new(Smol::on(&executor))
        .policy(Policy::default().backoff(quick))
        .build()
        .unwrap();
    let urls: Vec<_> = paths.iter().map(|path| site.url(path)).collect();
    let all = fetcher.fetch_all(urls).collect::<Vec<_>>();
    smol::block_on(executor.run(all));
}

#[test]
fn attempts_and_fetches_are_measured_with_bounded_labels() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start().unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        fetch(&site, &["/get", "/flaky/1?key=m", "/empty-reply"]);
    });
    let mut counts = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let count = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Gauge(value) => value.0 as u64,
            DebugValue::Histogram(values) => values.len() as u64,
        };
        counts.insert(format!("{} {}", key.key().name(), labels.join(",")), count);
    }
    let request = "http.client.request.duration http.request.method=GET,server.address=127.0.0.1";
    for (name, expected) in [
        (format!("{request},http.response.status_code=200"), 2),
        (format!("{request},http.response.status_code=503"), 1),
        (format!("{request},error.type=empty_reply"), 3),
        ("fetch.duration outcome=ok".to_owned(), 2),
        ("fetch.duration outcome=empty_reply".to_owned(), 1),
        ("fetch.queue.duration ".to_owned(), 3),
        ("fetch.gave_up reason=attempts".to_owned(), 1),
        ("fetch.retries ".to_owned(), 3),
        ("http.client.active_requests ".to_owned(), 0),
    ] {
        assert_eq!(counts.get(&name), Some(&expected), "{name}: {counts:?}");
    }
}

/// Name, parent and fields.
type ClosedSpan = (&'static str, Option<&'static str>, SpanFields);

/// Collects spans when they close.
#[derive(Clone, Default)]
struct ClosedSpans(Arc<Mutex<Vec<ClosedSpan>>>);

#[derive(Clone, Default)]
struct SpanFields(BTreeMap<&'static str, String>);

impl Visit for SpanFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(
            field.name(),
            format!("{value:?}").trim_matches('"').to_owned(),
        );
    }
}

impl<S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>> Layer<S>
    for ClosedSpans
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = SpanFields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<SpanFields>().unwrap());
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let fields = span.extensions().get::<SpanFields>().unwrap().clone();
        let parent = span.parent().map(|parent| parent.name());
        self.0.lock().unwrap().push((span.name(), parent, fields));
    }
}

#[test]
fn attempts_are_child_spans_of_their_fetch() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start().unwrap();
    let closed = ClosedSpans::default();
    let subscriber = tracing_subscriber::registry().with(closed.clone());
    tracing::subscriber::with_default(subscriber, || fetch(&site, &["/flaky/1?key=hush"]));
    let closed = closed.0.lock().unwrap();
    let seen: Vec<_> = closed
        .iter()
        .map(|(name, parent, fields)| {
            (
                *name,
                *parent,
                fields.0["http.response.status_code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("attempt", Some("fetch"), "503"),
            ("attempt", Some("fetch"), "200"),
            ("fetch", None, "200")
        ]
    );
    assert_eq!(closed[1].2.0["http.request.resend_count"], "1");
    assert!(
        closed
            .iter()
            .all(|(_, _, fields)| fields.0["url.full"].ends_with("key=REDACTED"))
    );
}

/// The name of the span of an event, and its fields.
type EventInSpan = (Option<&'static str>, SpanFields);

/// Collects events.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<EventInSpan>>>);

impl<S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>> Layer<S>
    for Events
{
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = SpanFields::default();
        event.record(&mut fields);
        let span = context.event_span(event).map(|span| span.name());
        self.0.lock().unwrap().push((span, fields));
    }
}

#[test]
fn decisions_are_events_in_the_span_of_the_fetch_with_url_and_attempt() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start().unwrap();
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    tracing::subscriber::with_default(subscriber, || fetch(&site, &["/flaky/1?key=hush"]));
    let events = events.0.lock().unwrap();
    let mut retries = events
        .iter()
        .filter(|(_, fields)| fields.0["message"].contains("retry in"));
    let (span, fields) = retries.next().expect("a retry is reported");
    assert_eq!((*span, fields.0["attempt"].as_str()), (Some("fetch"), "1"));
    assert!(
        fields.0["url.full"].ends_with("key=REDACTED"),
        "{:?}",
        fields.0
    );
}

#[test]
fn the_span_of_a_timed_out_attempt_has_the_error() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start().unwrap();
    let closed = ClosedSpans::default();
    let subscriber = tracing_subscriber::registry().with(closed.clone());
    let executor = Arc::new(smol::Executor::new());
    tracing::subscriber::with_default(subscriber, || {
        let policy = Policy::default()
            .attempts(1)
            .attempt_timeout(Duration::from_millis(50));
        let builder = Builder::new(Smol::on(&executor)).policy(policy);
        let fetcher = builder.build().unwrap();
        let stalled = fetcher.fetch(site.url("/stall"));
        assert!(smol::block_on(executor.run(stalled)).error().is_some());
    });
    let closed = closed.0.lock().unwrap();
    let kinds: Vec<_> = closed
        .iter()
        .map(|(name, _, fields)| (*name, fields.0["error.type"].as_str()))
        .collect();
    assert_eq!(kinds, [("attempt", "aborted"), ("fetch", "timeout")]);
}

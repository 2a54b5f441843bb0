//! The header field `traceparent`, from a real tracer of OpenTelemetry.

use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{Backoff, Policy, Request};
use fetch_smol::{Builder, Smol};
use fetch_testbed::Site;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;

/// The value of `traceparent` in the last request for `target`.
fn parent(site: &Site, target: &str) -> String {
    let request = site.last_request(target).unwrap();
    request.header("traceparent").unwrap_or_default().to_owned()
}

#[test]
fn each_attempt_continues_the_trace_with_the_id_of_its_own_span() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let site = Site::builder().record(true).start().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let executor = Arc::new(smol::Executor::new());
        let quick = Backoff::default()
            .base(Duration::from_millis(1))
            .jitter(None);
        let fetcher = Builder::new(Smol::on(&executor))
            .policy(Policy::default().backoff(quick))
            .build()
            .unwrap();
        let own = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
        let with_own = Request::get(site.url("/anything"))
            .unwrap()
            .header("traceparent", own)
            .unwrap();
        smol::block_on(executor.run(async {
            fetcher.fetch(site.url("/flaky/1?key=t")).await;
            fetcher.fetch(with_own).await;
        }));
        assert_eq!(parent(&site, "/anything"), own);
    });
    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let attempts = spans.iter().filter(|span| span.name == "attempt");
    let expected: Vec<_> = attempts
        .take(2)
        .map(|span| {
            let context = &span.span_context;
            format!("00-{}-{}-01", context.trace_id(), context.span_id())
        })
        .collect();
    assert_eq!(expected.len(), 2);
    assert_ne!(expected[0], expected[1]);
    assert_eq!(expected[0][..36], expected[1][..36], "one trace");
    assert_eq!(parent(&site, "/flaky/1?key=t"), expected[1]);
}

//! The header fields by which a server continues the trace of an attempt (W3C Trace Context, level 1).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::TraceContextExt;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::telemetry::tracing::FetchSpan;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Adds `traceparent` and `tracestate` with the ids of `span`, unless the request has a `traceparent`.
/// Adds nothing if the span belongs to no trace: without the layer of `tracing-opentelemetry`.
pub(crate) fn add_trace_context(headers: &mut Arc<HeaderMap>, span: &FetchSpan) {
    if headers.contains_key(TRACEPARENT) {
        return;
    }
    let context = span.span().context();
    let context = context.span().span_context().clone();
    if !context.is_valid() {
        return;
    }
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
    let parent = format!("00-{trace}-{span}-{:02x}", flags.to_u8());
    let fields = [
        (TRACEPARENT, parent),
        (TRACESTATE, context.trace_state().header()),
    ];
    for (name, value) in fields {
        if !value.is_empty()
            && let Ok(value) = HeaderValue::try_from(value)
        {
            Arc::make_mut(headers).insert(name, value);
        }
    }
}

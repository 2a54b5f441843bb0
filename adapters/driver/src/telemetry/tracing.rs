//! Spans for the `tracing` ecosystem, with OpenTelemetry's names. Without the feature `tracing`,
//! nothing is recorded.

use fetch_proto::{DecisionEvent, EngineConfig};

use crate::LOG_TARGET;
use crate::fields::redact::RedactedUrl;
use crate::model::request::Request;

#[cfg(feature = "tracing")]
pub(crate) use on::FetchSpan;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::FetchSpan;

/// The configuration, with events for the engine's decisions if these are logged.
pub(crate) fn with_logged_events(config: EngineConfig) -> EngineConfig {
    match logs_decisions() {
        true => config.events(true),
        false => config,
    }
}

/// Whether decisions are logged: at debug level, by `log` or, with the feature `tracing`, by `tracing`.
pub(crate) fn logs_decisions() -> bool {
    log::log_enabled!(target: LOG_TARGET, log::Level::Debug) || is_traced()
}

#[cfg(feature = "tracing")]
fn is_traced() -> bool {
    tracing::enabled!(target: "fetch_all", tracing::Level::DEBUG)
}

#[cfg(not(feature = "tracing"))]
fn is_traced() -> bool {
    false
}

/// Logs a decision about a fetch, in its span. `attempt` is the number of the latest attempt; 0 if none
/// was started.
pub(crate) fn log_decision(
    span: &FetchSpan,
    request: &Request,
    attempt: u16,
    event: &DecisionEvent,
) {
    let url = RedactedUrl(&request.url);
    #[cfg(feature = "tracing")]
    if is_traced() {
        return span.debug(&url, attempt, event);
    }
    span.in_scope(|| log::debug!(target: LOG_TARGET, url:% = url, attempt; "{event}"));
}

/// Logs a decision that is not about one fetch.
pub(crate) fn log_engine_decision(event: &DecisionEvent) {
    #[cfg(feature = "tracing")]
    if is_traced() {
        tracing::debug!(target: "fetch_all", "{event}");
        return;
    }
    log::debug!(target: LOG_TARGET, "{event}");
}

#[cfg(not(feature = "tracing"))]
mod off {
    use fetch_proto::Attempt;

    use crate::model::request::Request;

    #[derive(Clone)]
    pub(crate) struct FetchSpan;

    impl FetchSpan {
        pub(crate) fn for_fetch(_: &Request) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the same signature with the feature")]
        pub(crate) fn for_attempt(&self, _: &Request, _: &Attempt) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the same signature with the feature")]
        pub(crate) fn record_status(&self, _: u16) {}

        #[expect(clippy::unused_self, reason = "the same signature with the feature")]
        pub(crate) fn record_error(&self, _: &'static str) {}

        #[expect(clippy::unused_self, reason = "the same signature with the feature")]
        pub(crate) fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
            run()
        }
    }
}

#[cfg(feature = "tracing")]
mod on {
    use fetch_proto::{Attempt, DecisionEvent};
    use tracing::field::Empty;

    use crate::fields::redact::RedactedUrl;
    use crate::model::request::Request;

    /// The span of a fetch, or the span of an attempt inside it.
    #[derive(Clone)]
    pub(crate) struct FetchSpan(tracing::Span);

    impl FetchSpan {
        pub(crate) fn for_fetch(request: &Request) -> Self {
            Self(tracing::info_span!(
                target: "fetch_all",
                "fetch",
                http.request.method = request.method.as_str(),
                url.full = %RedactedUrl(&request.url),
                http.response.status_code = Empty,
                error.r#type = Empty,
            ))
        }

        pub(crate) fn for_attempt(&self, request: &Request, attempt: &Attempt) -> Self {
            Self(tracing::info_span!(
                target: "fetch_all",
                parent: &self.0,
                "attempt",
                otel.kind = "client",
                http.request.method = request.method.as_str(),
                http.request.resend_count = attempt.id.number().saturating_sub(1),
                server.address = attempt.url.host_str().unwrap_or_default(),
                server.port = attempt.url.port_or_known_default().unwrap_or_default(),
                url.full = %RedactedUrl(&attempt.url),
                http.response.status_code = Empty,
                error.r#type = Empty,
            ))
        }

        /// Logs a decision about the fetch of this span.
        pub(super) fn debug(&self, url: &RedactedUrl<'_>, attempt: u16, event: &DecisionEvent) {
            tracing::debug!(
                target: "fetch_all", parent: &self.0, { url.full = %url, attempt }, "{event}"
            );
        }

        /// The span itself.
        #[cfg(feature = "traceparent")]
        pub(crate) fn span(&self) -> &tracing::Span {
            &self.0
        }

        pub(crate) fn record_status(&self, status: u16) {
            self.0.record("http.response.status_code", status);
        }

        pub(crate) fn record_error(&self, kind: &'static str) {
            self.0.record("error.type", kind);
        }

        /// Runs a function inside the span.
        pub(crate) fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
            self.0.in_scope(run)
        }
    }
}

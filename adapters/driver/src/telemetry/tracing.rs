//! Spans for the `tracing` ecosystem, with OpenTelemetry's names. Without the feature `tracing`,
//! nothing is recorded.

#[cfg(feature = "tracing")]
pub(crate) use on::FetchSpan;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::FetchSpan;

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
    use fetch_proto::Attempt;
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

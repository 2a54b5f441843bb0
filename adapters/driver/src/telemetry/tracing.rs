//! Spans for the `tracing` ecosystem, by OpenTelemetry's names; nothing without the feature `tracing`.

#[cfg(feature = "tracing")]
pub(crate) use on::Span;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::Span;

#[cfg(not(feature = "tracing"))]
mod off {
    use fetch_proto::Attempt;

    use crate::model::request::Request;

    #[derive(Clone)]
    pub(crate) struct Span;

    impl Span {
        pub(crate) fn fetch(_: &Request) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the other has it")]
        pub(crate) fn attempt(&self, _: &Request, _: &Attempt) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the other has it")]
        pub(crate) fn responded(&self, _: u16) {}

        #[expect(clippy::unused_self, reason = "as the other has it")]
        pub(crate) fn failed(&self, _: &'static str) {}

        #[expect(clippy::unused_self, reason = "as the other has it")]
        pub(crate) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
            run()
        }
    }
}

#[cfg(feature = "tracing")]
mod on {
    use fetch_proto::Attempt;
    use tracing::field::Empty;

    use crate::fields::redact::Redacted;
    use crate::model::request::Request;

    /// A fetch's, or one of its attempts' within it.
    #[derive(Clone)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        pub(crate) fn fetch(request: &Request) -> Self {
            Self(tracing::info_span!(
                target: "fetch_all",
                "fetch",
                http.request.method = request.method.as_str(),
                url.full = %Redacted(&request.url),
                http.response.status_code = Empty,
                error.r#type = Empty,
            ))
        }

        pub(crate) fn attempt(&self, request: &Request, attempt: &Attempt) -> Self {
            Self(tracing::info_span!(
                target: "fetch_all",
                parent: &self.0,
                "attempt",
                otel.kind = "client",
                http.request.method = request.method.as_str(),
                http.request.resend_count = attempt.id.number().saturating_sub(1),
                server.address = attempt.url.host_str().unwrap_or_default(),
                server.port = attempt.url.port_or_known_default().unwrap_or_default(),
                url.full = %Redacted(&attempt.url),
                http.response.status_code = Empty,
                error.r#type = Empty,
            ))
        }

        pub(crate) fn responded(&self, status: u16) {
            self.0.record("http.response.status_code", status);
        }

        pub(crate) fn failed(&self, kind: &'static str) {
            self.0.record("error.type", kind);
        }

        /// What is told meanwhile is told in it.
        pub(crate) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
            self.0.in_scope(run)
        }
    }
}

//! Operations of the driver, the servers and the clock.

use std::time::Duration;

use fetch_proto::{FailureKind, FetchRequest, HeadSummary, Input, Method, RequestBodyKind};

use super::PolicySet;

/// One operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum Operation {
    /// Time passes.
    Advance { millis: u16 },
    /// The server of an attempt in flight, counted from the oldest, answers.
    Answer { attempt: u8, answer: ServerAnswer },
    /// The clock runs backwards for one call.
    Back { millis: u16 },
    /// The caller cancels a fetch, counted from the oldest.
    Cancel { fetch: u8 },
    /// The engine is closed. Not drawn, because nothing can follow it.
    #[arbitrary(skip)]
    Close,
    /// The policies change.
    Configure(PolicySet),
    /// The consumer is slow: no attempt may start.
    Hold,
    /// The consumer is ready again.
    Release,
    /// A checkpoint is restored in another process, with a `later` or a much earlier clock.
    Restore { later: bool },
    /// Ended attempts report again.
    Stale,
    /// A fetch is submitted.
    Submit {
        site: RequestSite,
        kind: RequestKind,
    },
    /// Time passes until the wake time of the engine.
    Wait,
}

/// The answer of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum ServerAnswer {
    /// A part of the body.
    Body,
    /// No connection is established.
    Connect,
    /// The client is out of file descriptors.
    Exhausted,
    /// The head of a successful response, without its end.
    Head,
    /// The connection breaks.
    Io,
    /// A body over the limit.
    Large,
    /// The end of the response, after its head if that is missing.
    Ok,
    /// The consumer stops reading.
    Paused,
    /// A redirect to another host.
    Redirect,
    /// The consumer resumes reading.
    Resumed,
    /// The pooled connection was closed.
    Stale,
    /// 429 with a wait of a second.
    Throttled,
    /// 503.
    Unavailable,
}

/// The host and path of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum RequestSite {
    A,
    /// Another path of the same host.
    A2,
    B,
    /// A load-balanced target over the other hosts, if configured.
    Service,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum RequestKind {
    Get,
    Post,
    /// One that shares its response with equal ones.
    Shared,
    /// One whose body can be sent only once.
    Upload,
}

impl ServerAnswer {
    /// The inputs for the engine, depending on whether the head was reported before.
    pub(super) fn inputs(self, has_head: bool) -> Vec<Input> {
        let head = |status| Input::Head(HeadSummary::status(status));
        let failed = |failure| vec![Input::End(Err(failure))];
        let whole = |first: HeadSummary| {
            let first = (!has_head).then_some(Input::Head(first));
            first.into_iter().chain([Input::End(Ok(()))]).collect()
        };
        match self {
            Self::Body => vec![Input::Body { bytes: 10 }],
            Self::Connect => failed(FailureKind::Connect),
            Self::Exhausted => failed(FailureKind::Exhausted),
            Self::Head => vec![head(200)],
            Self::Io => failed(FailureKind::Io),
            Self::Large => vec![head(200), Input::Body { bytes: 1_000_000 }],
            Self::Ok => whole(HeadSummary::status(200)),
            Self::Paused => vec![Input::Paused],
            Self::Redirect => {
                whole(HeadSummary::status(307).location(Some("http://b.test/moved".into())))
            }
            Self::Resumed => vec![Input::Resumed],
            Self::Stale => failed(FailureKind::Stale { sent: false }),
            Self::Throttled => whole(HeadSummary::status(429).retry_after(Duration::from_secs(1))),
            Self::Unavailable => whole(HeadSummary::status(503)),
        }
    }
}

pub(super) fn request(site: RequestSite, kind: RequestKind, tag: u64) -> FetchRequest {
    let url = match site {
        RequestSite::A => "http://a.test/1",
        RequestSite::A2 => "http://a.test/2",
        RequestSite::B => "http://b.test/1",
        RequestSite::Service => "http://service.test/1",
    };
    let get = FetchRequest::get(url.parse().expect("it is a URL"));
    let request = get.tag(tag);
    let method = Method::Post;
    match kind {
        RequestKind::Get => request,
        RequestKind::Post => request.method(method).body(RequestBodyKind::Replayable),
        RequestKind::Shared => request.share(Some(1)),
        RequestKind::Upload => request.method(Method::Put).body(RequestBodyKind::Once),
    }
}

//! What a driver and the world may do.

use std::time::Duration;

use fetch_proto::{FailureKind, FetchRequest, HeadSummary, Input, Method, RequestBodyKind};

use super::PolicySet;

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum Operation {
    /// Time passes.
    Advance { millis: u16 },
    /// The server of an attempt in flight, counted from the oldest, does something.
    Answer { attempt: u8, answer: ServerAnswer },
    /// A clock that runs back for one call.
    Back { millis: u16 },
    /// The caller gives up a fetch, counted from the oldest.
    Cancel { fetch: u8 },
    /// The caller gives up everything. Not drawn, for nothing follows it.
    #[arbitrary(skip)]
    Close,
    /// New policies.
    Configure(PolicySet),
    /// The consumer is slow.
    Hold,
    /// The consumer goes on.
    Release,
    /// Another process goes on, on a clock that is `later`, or much earlier.
    Restore { later: bool },
    /// Attempts that are over report again.
    Stale,
    /// One more fetch.
    Submit {
        site: RequestSite,
        kind: RequestKind,
    },
    /// Time passes until the engine wants to be called.
    Wait,
}

/// What a server does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum ServerAnswer {
    /// A part of the body comes.
    Body,
    /// No connection is made.
    Connect,
    /// No descriptor is left for it.
    Exhausted,
    /// The head of a good response, and no more.
    Head,
    /// The connection breaks.
    Io,
    /// A body that is too large.
    Large,
    /// What comes after the head, if it came; a good response.
    Ok,
    /// The consumer reads no further.
    Paused,
    /// It is at another host.
    Redirect,
    /// The consumer reads on.
    Resumed,
    /// An old connection was closed.
    Stale,
    /// 429 with a wait of a second.
    Throttled,
    /// 503.
    Unavailable,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum RequestSite {
    A,
    /// Another path of the same host.
    A2,
    B,
    /// What is served by the others, where targets are configured.
    Service,
}

/// Which request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, arbitrary::Arbitrary)]
pub enum RequestKind {
    Get,
    Post,
    /// One that shares its response.
    Shared,
    /// One whose body can be sent once.
    Upload,
}

impl ServerAnswer {
    /// What the engine is told, if a head was told before or not.
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

//! The clients that can be measured.

use clap::ValueEnum;

use crate::cases::load_kind::LoadKind;

/// A client that is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ClientKind {
    /// aiohttp, as in the original of fetch-all
    Aiohttp,
    /// fetch-all on async-std
    AsyncStd,
    /// The command fetch-all, writing JSON Lines
    Command,
    /// curl --parallel
    Curl,
    /// Microsoft's client, with buffer_unordered
    Fetch,
    /// The lower bound: an epoll loop that parses almost nothing
    Floor,
    /// hyper-util's client on a current-thread runtime, with buffer_unordered
    HyperUtil,
    /// fetch-all over isahc
    Isahc,
    /// As `ours`, with a pool of twice the concurrency
    SmallPool,
    /// fetch-all with one thread of its own
    OneThread,
    /// fetch-all on one executor and one thread
    Ours,
    /// fetch-all on smol's global executor
    OursGlobal,
    /// reqwest as a transport of fetch-all, on a current-thread runtime
    OverReqwest,
    /// reqwest on a current-thread runtime, with buffer_unordered
    Reqwest,
    /// fetch-all over surf
    Surf,
    /// fetch-all on tokio, on a current-thread runtime
    Tokio,
    /// fetch-all with two threads of its own
    TwoThreads,
}

impl ClientKind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aiohttp => "aiohttp",
            Self::AsyncStd => "async-std",
            Self::Command => "command",
            Self::Curl => "curl",
            Self::Fetch => "fetch",
            Self::Floor => "floor",
            Self::HyperUtil => "hyper-util",
            Self::Isahc => "isahc",
            Self::SmallPool => "small-pool",
            Self::OneThread => "one-thread",
            Self::Ours => "ours",
            Self::OursGlobal => "ours-global",
            Self::OverReqwest => "over-reqwest",
            Self::Reqwest => "reqwest",
            Self::Surf => "surf",
            Self::Tokio => "tokio",
            Self::TwoThreads => "two-threads",
        }
    }

    /// The description in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Aiohttp => "aiohttp, the original design",
            Self::AsyncStd => "fetch-all, async-std",
            Self::Command => "the command `fetch-all`",
            Self::Curl => "`curl --parallel`",
            Self::Fetch => "fetch (Microsoft), tokio, `buffer_unordered`",
            Self::Floor => "floor: a bare epoll loop",
            Self::HyperUtil => "hyper-util, tokio, `buffer_unordered`",
            Self::Isahc => "fetch-all, isahc",
            Self::SmallPool => "the same, `max_connections(200)`",
            Self::OneThread => "fetch-all, smol, `threads(1)`",
            Self::Ours => "fetch-all, smol, one executor",
            Self::OursGlobal => "fetch-all, smol, global executor",
            Self::OverReqwest => "fetch-all, reqwest as its transport",
            Self::Reqwest => "reqwest, tokio, `buffer_unordered`",
            Self::Surf => "fetch-all, surf",
            Self::Tokio => "fetch-all, tokio, current thread",
            Self::TwoThreads => "fetch-all, smol, `threads(2)`",
        }
    }

    /// Whether it can run a load of this kind.
    pub(crate) fn can_run(self, kind: LoadKind) -> bool {
        match (self, kind) {
            (Self::Aiohttp, LoadKind::Http2) => false,
            // Its circuit breaker opens at this failure rate and rejects further requests.
            (Self::Fetch, LoadKind::Failing) => false,
            _ => true,
        }
    }
}

//! The names that every adapter's crate has, so that a program changes to another runtime by changing
//! the name of the crate.

pub use fetch_proto::FetchError;
pub use futures_lite::stream::{self, Stream, StreamExt};

#[cfg(feature = "cookies")]
pub use crate::CookieJar;
pub use crate::{
    AttemptEnd, AttemptReport, AttemptRequest, AttemptResponse, Backoff, BatchStats, BodyRetention,
    BuildError, ClientIdentity, ConnectTo, EngineStats, Error, ErrorKind, FailureKind, FetchAll,
    FetchTimings, HookError, Http2Mode, IntoRequest, Jitter, Method, Outcome, OverCap, Policy,
    PolicyPatch, PolicyRules, Proxy, ProxyKind, ProxyRules, Rate, RedirectPolicy, Request,
    Response, RetryAfterPolicy, RetryClass, RulePattern, StatusSet, StreamedBody, StreamedResponse,
    TimeLimit, Timeouts, TimeoutsPatch, TlsVersion, Verdict, bytes, http, url,
};

/// Defines what every adapter's crate has under the same names: [`common`](crate::common), and
/// `Fetcher`, `Builder`, `fetch_all` and `fetch_all_with_concurrency` for its [`Adapter`](crate::Adapter).
///
/// ```
/// mod my_adapter {
///     fetch_driver::export_adapter!(fetch_smol::Smol);
/// }
/// use my_adapter::{Fetcher, StreamExt, fetch_all};
/// # let site = fetch_testbed::Site::start()?;
/// # let url = site.url("/get");
///
/// smol::block_on(async {
///     let outcome = fetch_all([url.as_str()]).next().await.unwrap();
///     assert!(outcome.is_success());
///     let fetcher = Fetcher::builder().concurrency(10).build()?;
///     assert_eq!(fetcher.get(&url).await?.status, 200);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! export_adapter {
    ($adapter:ty) => {
        #[doc(inline)]
        pub use $crate::common::*;

        /// Fetches URLs with this adapter.
        pub type Fetcher = $crate::Fetcher<$adapter>;

        /// Builds a [`Fetcher`] with this adapter.
        pub type Builder = $crate::Builder<$adapter>;

        /// Fetches all `urls` with the default settings: 100 attempts at once, three attempts each, and
        /// attempt timeouts by URL pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
        ///
        /// URLs are taken lazily, outcomes are streamed in the order in which the fetches end, and
        /// dropping the stream cancels the rest. If there is no runtime, every outcome is an error with
        /// this reason. The crate's documentation has an example.
        pub fn fetch_all<I>(urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
        where
            I: IntoIterator<Item: IntoRequest>,
        {
            $crate::fetch_all::<$adapter, I>(urls)
        }

        /// Like [`fetch_all`], with at most `concurrency` attempts at once. It must be at least 1: with 0,
        /// every outcome is an error that says so.
        pub fn fetch_all_with_concurrency<I>(
            urls: I,
            concurrency: usize,
        ) -> FetchAll<stream::Iter<I::IntoIter>>
        where
            I: IntoIterator<Item: IntoRequest>,
        {
            $crate::fetch_all_with_concurrency::<$adapter, I>(urls, concurrency)
        }
    };
}

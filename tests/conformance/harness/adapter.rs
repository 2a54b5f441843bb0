//! An adapter with its type erased, so that behaviours are compiled only once.

use fetch_all::driver::{Adapter, Builder, Fetcher};
use fetch_all::{BuildError, Error, Outcome, Request, Settings, StreamedResponse};
use futures::future::LocalBoxFuture;
use futures::stream::LocalBoxStream;

use crate::harness::behaviour::{CheckResult, UnsupportedBehaviour};

pub(crate) type AdapterRef = &'static AdapterUnderTest;
pub(crate) type OutcomeStream = LocalBoxStream<'static, Outcome>;
pub(crate) type RequestIterator = Box<dyn Iterator<Item = Request>>;

/// An adapter on its runtime.
pub(crate) struct AdapterUnderTest {
    /// Its name in the results table.
    pub(crate) name: &'static str,
    /// Runs a future to completion on the adapter's runtime.
    pub(crate) block_on: fn(LocalBoxFuture<'_, CheckResult>) -> CheckResult,
    /// Builds a fetcher with these settings. It must be called inside the runtime.
    pub(crate) build_fetcher: fn(Settings) -> Result<Box<dyn DynFetcher>, BuildError>,
    /// The adapter's `fetch_all` function, with its defaults.
    pub(crate) fetch_all: fn(Vec<String>) -> OutcomeStream,
    /// The adapter's function with this name.
    pub(crate) fetch_all_with_concurrency: fn(Vec<String>, usize) -> OutcomeStream,
    /// Behaviours that the HTTP client below the adapter does not support.
    pub(crate) unsupported: &'static [UnsupportedBehaviour],
}

/// A fetcher on any adapter.
pub(crate) trait DynFetcher {
    fn fetch(&self, request: Request) -> LocalBoxFuture<'_, Outcome>;
    fn fetch_all(&self, requests: RequestIterator) -> OutcomeStream;
    fn open(&self, request: Request) -> LocalBoxFuture<'_, Result<StreamedResponse, Error>>;
}

impl<A: 'static> DynFetcher for Fetcher<A> {
    fn fetch(&self, request: Request) -> LocalBoxFuture<'_, Outcome> {
        Box::pin(self.fetch(request))
    }

    fn fetch_all(&self, requests: RequestIterator) -> OutcomeStream {
        Box::pin(self.fetch_all(requests))
    }

    fn open(&self, request: Request) -> LocalBoxFuture<'_, Result<StreamedResponse, Error>> {
        Box::pin(self.open(request))
    }
}

/// Builds a fetcher on the adapter `A`.
pub(crate) fn build_fetcher<A: Adapter + Default>(
    settings: Settings,
) -> Result<Box<dyn DynFetcher>, BuildError> {
    let builder = Builder::new(A::default()).settings(|all| *all = settings);
    Ok(Box::new(builder.build()?))
}

//! What the suite asks of an adapter, with its type erased: behaviours are compiled once.

use std::pin::Pin;

use fetch_all::driver::{Adapter, Builder, Fetcher};
use fetch_all::{BuildError, Error, Outcome, Request, Settings, StreamedResponse};
use smol::stream::Stream;

use crate::behaviour::{Cannot, Check};

pub(crate) type Backend = &'static Adapted;
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
pub(crate) type Outcomes = Pin<Box<dyn Stream<Item = Outcome>>>;
pub(crate) type Requests = Box<dyn Iterator<Item = Request>>;

/// An adapter on its runtime.
pub(crate) struct Adapted {
    /// Its name, as in the table.
    pub(crate) name: &'static str,
    /// Runs work to its end on a runtime of its kind.
    pub(crate) drive: fn(Boxed<'_, Check>) -> Check,
    /// A fetcher with these settings, on the runtime that the caller is in.
    pub(crate) client: fn(Settings) -> Result<Box<dyn Client>, BuildError>,
    /// The adapter's own `fetch_all`, with its defaults.
    pub(crate) short_form: fn(Vec<String>) -> Outcomes,
    /// What the backend has not.
    pub(crate) cannot: &'static [Cannot],
}

/// A fetcher of whatever adapter.
pub(crate) trait Client {
    fn fetch(&self, request: Request) -> Boxed<'_, Outcome>;
    fn fetch_all(&self, requests: Requests) -> Outcomes;
    fn open(&self, request: Request) -> Boxed<'_, Result<StreamedResponse, Error>>;
}

impl<A: 'static> Client for Fetcher<A> {
    fn fetch(&self, request: Request) -> Boxed<'_, Outcome> {
        Box::pin(self.fetch(request))
    }

    fn fetch_all(&self, requests: Requests) -> Outcomes {
        Box::pin(self.fetch_all(requests))
    }

    fn open(&self, request: Request) -> Boxed<'_, Result<StreamedResponse, Error>> {
        Box::pin(self.open(request))
    }
}

/// A fetcher on the adapter `A`.
pub(crate) fn client<A: Adapter + Default>(
    settings: Settings,
) -> Result<Box<dyn Client>, BuildError> {
    let builder = Builder::new(A::default()).settings(|all| *all = settings);
    Ok(Box::new(builder.build()?))
}

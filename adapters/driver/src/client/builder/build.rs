//! From the settings to a running fetcher.

use futures_lite::stream;

use super::Builder;
use super::threads;
use crate::client::drivers::DriverSet;
use crate::client::fetch_all::FetchAll;
use crate::client::fetcher::Fetcher;
use crate::driver::{DriverContext, new_driver};
use crate::model::request::IntoRequest;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::telemetry::tracing::with_logged_events;
use crate::transport::clock::Clock;
use crate::transport::shared_state::SharedState;

impl<A: Adapter> Builder<A> {
    /// Builds the fetcher and starts its driver.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is invalid, if the transport cannot apply it, or if there is no runtime.
    pub fn build(mut self) -> Result<Fetcher<A>, BuildError> {
        // Later errors may follow from the first one.
        if !self.errors.is_empty() {
            return Err(self.errors.swap_remove(0));
        }
        let rules = self.policies.apply(&self.settings.config.rules)?;
        let mut settings = self.settings;
        settings.update_config(|config| with_logged_events(config.rules(rules)));
        // Fetchers that are built from clones of the same settings share no transport state.
        settings.shared_state = SharedState::default();
        let (record, clock) = (self.record, Clock::start());
        if settings.threads > 1 {
            return threads::build(&self.adapter, &settings, record, clock);
        }
        let transport = self.adapter.transport(&settings)?;
        let context = DriverContext {
            clock,
            siblings: None,
            undelivered: settings.undelivered_limit(),
        };
        let timer = A::Timer::default();
        let (handle, driver) = new_driver(transport, timer, &settings, record, context);
        self.adapter.spawn(driver)?;
        let window = settings.config.window_size();
        let drivers = DriverSet::new(vec![handle], window, None, settings.hsts, clock);
        Ok(Fetcher::new(drivers))
    }

    /// Builds the fetcher. If that fails, returns one whose every fetch fails with the reason, for
    /// functions that cannot return an error.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().concurrency(0).build_or_failing();
    /// let error = smol::block_on(fetcher.get("http://a.test/")).unwrap_err();
    /// assert!(error.to_string().contains("concurrency"));
    /// ```
    pub fn build_or_failing(self) -> Fetcher<A> {
        self.build()
            .unwrap_or_else(|error| Fetcher::failing(&error))
    }
}

impl<A: Adapter + Default> Fetcher<A> {
    /// A builder with the defaults.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().concurrency(10).build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use = "call `build`"]
    pub fn builder() -> Builder<A> {
        Builder::new(A::default())
    }
}

/// Like [`fetch_all`], with at most `concurrency` attempts at once. It must be at least 1: with 0, every
/// outcome is an error that says so.
///
/// ```
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), site.url("/status/404")];
/// use fetch_smol::{Smol, StreamExt};
///
/// let outcomes = fetch_driver::fetch_all_with_concurrency::<Smol, _>(urls, 20);
/// assert_eq!(smol::block_on(outcomes.count()), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all_with_concurrency<A, I>(
    urls: I,
    concurrency: usize,
) -> FetchAll<stream::Iter<I::IntoIter>>
where
    A: Adapter + Default,
    I: IntoIterator<Item: IntoRequest>,
{
    let builder = Fetcher::<A>::builder().concurrency(concurrency);
    builder.build_or_failing().fetch_all(urls)
}

/// Fetches all `urls` on the runtime of `A` with the default settings: 100 attempts at once, three
/// attempts each, and attempt timeouts by URL pattern (10 s for `/delay/`, 8 s for `/status/`, else
/// 6 s).
///
/// URLs are taken lazily, outcomes are streamed in the order in which the fetches end, and dropping
/// the stream cancels the rest. If there is no runtime, every outcome is an error with this reason.
///
/// ```
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), "not a URL".to_owned()];
/// use fetch_smol::{Smol, StreamExt};
///
/// smol::block_on(async {
///     let mut outcomes = fetch_driver::fetch_all::<Smol, _>(urls);
///     while let Some(outcome) = outcomes.next().await {
///         println!("{outcome}");
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all<A, I>(urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
where
    A: Adapter + Default,
    I: IntoIterator<Item: IntoRequest>,
{
    Fetcher::<A>::builder().build_or_failing().fetch_all(urls)
}

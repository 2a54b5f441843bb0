//! What an engine may do at once.

use core::num::NonZeroUsize;

use crate::rate::Rate;
use crate::rules::Rules;

/// The limits of an [`Engine`](crate::Engine), over all its fetches.
///
/// ```
/// use fetch_proto::Config;
///
/// let config = Config::default().concurrency(10).per_host(2);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) events: bool,
    pub(crate) host_rate: Option<Rate>,
    pub(crate) per_host: Option<NonZeroUsize>,
    pub(crate) rate: Option<Rate>,
    pub(crate) rules: Rules,
    pub(crate) window: Option<NonZeroUsize>,
}

impl Config {
    /// Sets how many attempts may be in flight at once. Default 100; 0 counts as 1.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().concurrency(1000);
    /// ```
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        self.concurrency = NonZeroUsize::new(attempts).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets whether [`Output::Event`](crate::Output::Event) tells why each decision was taken.
    /// Default no: it costs a little for each fetch.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().events(true);
    /// ```
    #[must_use]
    pub fn events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }

    /// Sets how fast attempts at one host (scheme, host and port) may begin. Default: no limit.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().host_rate("5/s".parse()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn host_rate(mut self, rate: Rate) -> Self {
        self.host_rate = Some(rate);
        self
    }

    /// Sets how many attempts at one host (scheme, host and port) may be in flight at once. Default:
    /// no limit but the concurrency; 0 means the same.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().per_host(4);
    /// ```
    #[must_use]
    pub fn per_host(mut self, attempts: usize) -> Self {
        self.per_host = NonZeroUsize::new(attempts);
        self
    }

    /// Sets how fast attempts may begin over all hosts. Default: no limit.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().rate("50/s".parse()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets the rules that choose each fetch's policy. Default [`Rules::default`].
    ///
    /// ```
    /// use fetch_proto::{Config, Policy, Rules};
    /// let config = Config::default().rules(Rules::only(Policy::default()));
    /// ```
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets how many fetches may be live at once: queued, in flight or waiting for a retry. It
    /// bounds the memory, and it is how far the engine looks ahead for other hosts while one is
    /// busy. Default 4 × the concurrency, at least 10,000.
    ///
    /// ```
    /// let config = fetch_proto::Config::default().window(100_000);
    /// ```
    #[must_use]
    pub fn window(mut self, fetches: usize) -> Self {
        self.window = NonZeroUsize::new(fetches);
        self
    }

    /// How many fetches may be live at once.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Config::default().window_size(), 10_000);
    /// ```
    #[must_use]
    pub fn window_size(&self) -> usize {
        let default = self.concurrency.get().saturating_mul(4).max(10_000);
        // Slots are numbered by u32, the last of which means none.
        self.window
            .map_or(default, NonZeroUsize::get)
            .min(u32::MAX as usize - 1)
    }

    /// The rules that choose each fetch's policy.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Config::default().rules_ref().iter().count(), 2);
    /// ```
    #[must_use]
    pub const fn rules_ref(&self) -> &Rules {
        &self.rules
    }

    /// How many attempts may be in flight at once.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Config::default().concurrency_limit(), 100);
    /// ```
    #[must_use]
    pub fn concurrency_limit(&self) -> usize {
        self.concurrency.get()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: const { NonZeroUsize::new(100).unwrap() },
            events: false,
            host_rate: None,
            per_host: None,
            rate: None,
            rules: Rules::default(),
            window: None,
        }
    }
}

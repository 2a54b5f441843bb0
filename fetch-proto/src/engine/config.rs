//! What an engine may do at once.

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::time::Duration;

use url::Url;

use crate::guards::balance::{BalancedTarget, TargetError};
use crate::guards::breaker::Breaker;
use crate::guards::budget::RetryBudget;
use crate::guards::hedge::{Hedge, HedgeDelay};
use crate::guards::limiter::AdaptiveConcurrency;
use crate::guards::rate::Rate;
use crate::guards::throttle::Throttle;
use crate::policy::Policy;
use crate::rules::PolicyRules;

/// The limits of an [`Engine`](crate::Engine), over all its fetches.
///
/// ```
/// use fetch_proto::EngineConfig;
///
/// let config = EngineConfig::default().concurrency(10).per_host(2);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct EngineConfig {
    pub(crate) adaptive: Option<AdaptiveConcurrency>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) budget: Option<RetryBudget>,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) events: bool,
    pub(crate) host_budget: Option<RetryBudget>,
    pub(crate) host_rate: Option<Rate>,
    pub(crate) per_host: Option<NonZeroUsize>,
    pub(crate) rate: Option<Rate>,
    pub(crate) rules: PolicyRules,
    pub(crate) shed: Option<LoadShedding>,
    pub(crate) slow_start: bool,
    pub(crate) spacing: Option<(Duration, Duration)>,
    pub(crate) targets: Vec<(Url, BalancedTarget)>,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) window: Option<NonZeroUsize>,
}

/// When a host's queue is overloaded, and fetches are left out of it: when what leaves it has waited
/// longer than `target`, for a whole `interval`. It ends as soon as a wait is short again.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{EngineConfig, LoadShedding};
///
/// let shed = LoadShedding { target: Duration::from_secs(30), ..LoadShedding::default() };
/// let config = EngineConfig::default().shed(shed);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LoadShedding {
    /// The longest wait that is still good. Default 10 s.
    pub target: Duration,
    /// How long waits must have been longer before any fetch is left out. Default 30 s.
    pub interval: Duration,
}

impl Default for LoadShedding {
    fn default() -> Self {
        Self {
            target: Duration::from_secs(10),
            interval: Duration::from_secs(30),
        }
    }
}

impl EngineConfig {
    /// Sets how each host's own limit of attempts at once is found out from its answers. It is never
    /// over [`per_host`](Self::per_host). Default: it is not.
    ///
    /// ```
    /// use fetch_proto::{AdaptiveConcurrency, EngineConfig};
    /// let config = EngineConfig::default().adaptive(AdaptiveConcurrency::default());
    /// ```
    #[must_use]
    pub fn adaptive(mut self, adaptive: impl Into<Option<AdaptiveConcurrency>>) -> Self {
        self.adaptive = adaptive.into();
        self
    }

    /// Sets when a host that fails too often is left alone for a while. Default never.
    ///
    /// ```
    /// use fetch_proto::{Breaker, EngineConfig};
    /// let config = EngineConfig::default().breaker(Breaker::default());
    /// ```
    #[must_use]
    pub fn breaker(mut self, breaker: impl Into<Option<Breaker>>) -> Self {
        self.breaker = breaker.into();
        self
    }

    /// Sets how many retries and hedges there may be over all hosts, beside the fetches. Default: as
    /// many as the policies allow.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, RetryBudget};
    /// let config = EngineConfig::default().budget(RetryBudget::default());
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.budget = budget.into();
        self
    }

    /// Sets the same for each host.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, RetryBudget};
    /// let config = EngineConfig::default().host_budget(RetryBudget::default());
    /// ```
    #[must_use]
    pub fn host_budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.host_budget = budget.into();
        self
    }

    /// Sets when fetches are left out of a host's overloaded queue. Default never.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, LoadShedding};
    /// let config = EngineConfig::default().shed(LoadShedding::default());
    /// ```
    #[must_use]
    pub fn shed(mut self, shed: impl Into<Option<LoadShedding>>) -> Self {
        self.shed = shed.into();
        self
    }

    /// Sets whether a host that comes back, from the rest that a `Retry-After` asked for or from a
    /// break of its breaker, is given work by and by: one attempt at first, then one more for each that
    /// it does not refuse, so about twice as many with each round trip. Default yes: else all that
    /// waited would come at once, and the next overload with them.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().slow_start(false);
    /// ```
    #[must_use]
    pub const fn slow_start(mut self, on: bool) -> Self {
        self.slow_start = on;
        self
    }

    /// Sets a wait between the starts of two attempts at one host, drawn evenly from this range each
    /// time. Default none.
    ///
    /// ```
    /// use core::time::Duration;
    /// let polite = Duration::from_millis(500)..=Duration::from_millis(1500);
    /// let config = fetch_proto::EngineConfig::default().spacing(polite);
    /// ```
    #[must_use]
    pub fn spacing(mut self, wait: core::ops::RangeInclusive<Duration>) -> Self {
        self.spacing = Some((*wait.start(), *wait.end()));
        self
    }

    /// Serves the origin of `url` from the endpoints of a target: every attempt at it goes to one of
    /// them. Limits, rates and breakers are the endpoints' own.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, TargetEndpoint, BalancedTarget};
    /// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
    /// let target = BalancedTarget::new(urls.map(TargetEndpoint::new));
    /// let config = EngineConfig::default().target("https://service.example".parse()?, target)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The target has no endpoint, or one that is no origin.
    pub fn target(mut self, url: Url, target: BalancedTarget) -> Result<Self, TargetError> {
        target.validate()?;
        self.targets
            .retain(|(known, _)| known.origin() != url.origin());
        self.targets.push((url, target));
        Ok(self)
    }

    /// Sets when an overloaded host is spared requests that it would only refuse. Default never.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Throttle};
    /// let config = EngineConfig::default().throttle(Throttle::default());
    /// ```
    #[must_use]
    pub fn throttle(mut self, throttle: impl Into<Option<Throttle>>) -> Self {
        self.throttle = throttle.into();
        self
    }

    /// Whether hosts have a state of their own beside queue and rate.
    pub(crate) fn is_guarded(&self) -> bool {
        self.adaptive.is_some()
            || self.breaker.is_some()
            || self.host_budget.is_some()
            || self.shed.is_some()
            || self.throttle.is_some()
            || self.needs_latency()
    }

    /// Whether some rule hedges by how long answers took.
    pub(crate) fn needs_latency(&self) -> bool {
        let asks = |policy: &Policy| {
            let delay = policy.hedge.map(|hedge: Hedge| hedge.delay);
            matches!(delay, Some(HedgeDelay::Percentile { .. }))
        };
        asks(self.rules.default_policy()) || self.rules.iter().any(|(_, policy)| asks(policy))
    }

    /// Sets how many attempts may be in flight at once. Default 100; 0 counts as 1.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().concurrency(1000);
    /// ```
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        self.concurrency = NonZeroUsize::new(attempts).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets whether [`EngineOutput::Event`](crate::EngineOutput::Event) tells why each decision was taken.
    /// Default no: it costs a little for each fetch.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().events(true);
    /// ```
    #[must_use]
    pub fn events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }

    /// Sets how fast attempts at one host (scheme, host and port) may begin. Default: no limit.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().host_rate("5/s".parse()?);
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
    /// let config = fetch_proto::EngineConfig::default().per_host(4);
    /// ```
    #[must_use]
    pub fn per_host(mut self, attempts: usize) -> Self {
        self.per_host = NonZeroUsize::new(attempts);
        self
    }

    /// Sets how fast attempts may begin over all hosts. Default: no limit.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().rate("50/s".parse()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets the rules that choose each fetch's policy. Default [`PolicyRules::default`].
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Policy, PolicyRules};
    /// let config = EngineConfig::default().rules(PolicyRules::from_policy(Policy::default()));
    /// ```
    #[must_use]
    pub fn rules(mut self, rules: PolicyRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets how many fetches may be live at once: queued, in flight or waiting for a retry. It
    /// bounds the memory, and it is how far the engine looks ahead for other hosts while one is
    /// busy. Default 4 × the concurrency, at least 10,000.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().window(100_000);
    /// ```
    #[must_use]
    pub fn window(mut self, fetches: usize) -> Self {
        self.window = NonZeroUsize::new(fetches);
        self
    }

    /// How many fetches may be live at once.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().window_size(), 10_000);
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
    /// assert_eq!(fetch_proto::EngineConfig::default().rules_ref().iter().count(), 2);
    /// ```
    #[must_use]
    pub const fn rules_ref(&self) -> &PolicyRules {
        &self.rules
    }

    /// When a host that fails too often is left alone.
    ///
    /// ```
    /// assert!(fetch_proto::EngineConfig::default().breaker_ref().is_none());
    /// ```
    #[must_use]
    pub const fn breaker_ref(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// How many retries there may be over all hosts.
    ///
    /// ```
    /// assert!(fetch_proto::EngineConfig::default().budget_ref().is_none());
    /// ```
    #[must_use]
    pub const fn budget_ref(&self) -> Option<&RetryBudget> {
        self.budget.as_ref()
    }

    /// How many retries there may be at each host.
    ///
    /// ```
    /// assert!(fetch_proto::EngineConfig::default().host_budget_ref().is_none());
    /// ```
    #[must_use]
    pub const fn host_budget_ref(&self) -> Option<&RetryBudget> {
        self.host_budget.as_ref()
    }

    /// How each host's own limit is found out.
    ///
    /// ```
    /// assert!(fetch_proto::EngineConfig::default().adaptive_ref().is_none());
    /// ```
    #[must_use]
    pub const fn adaptive_ref(&self) -> Option<&AdaptiveConcurrency> {
        self.adaptive.as_ref()
    }

    /// How many attempts at one host may be in flight at once, if that is limited.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().per_host(4).per_host_limit(), Some(4));
    /// ```
    #[must_use]
    pub fn per_host_limit(&self) -> Option<usize> {
        self.per_host.map(NonZeroUsize::get)
    }

    /// How fast attempts may begin over all hosts, if that is limited.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().rate_limit(), None);
    /// ```
    #[must_use]
    pub fn rate_limit(&self) -> Option<Rate> {
        self.rate
    }

    /// How fast attempts at one host may begin, if that is limited.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().host_rate_limit(), None);
    /// ```
    #[must_use]
    pub fn host_rate_limit(&self) -> Option<Rate> {
        self.host_rate
    }

    /// How many fetches may be live at once, if that was set.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().window_setting(), None);
    /// ```
    #[must_use]
    pub fn window_setting(&self) -> Option<usize> {
        self.window.map(NonZeroUsize::get)
    }

    /// How many attempts may be in flight at once.
    ///
    /// ```
    /// assert_eq!(fetch_proto::EngineConfig::default().concurrency_limit(), 100);
    /// ```
    #[must_use]
    pub fn concurrency_limit(&self) -> usize {
        self.concurrency.get()
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            adaptive: None,
            breaker: None,
            budget: None,
            concurrency: const { NonZeroUsize::new(100).unwrap() },
            events: false,
            host_budget: None,
            host_rate: None,
            per_host: None,
            rate: None,
            rules: PolicyRules::default(),
            shed: None,
            slow_start: true,
            spacing: None,
            targets: Vec::new(),
            throttle: None,
            window: None,
        }
    }
}

//! The configuration of an engine.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::time::Duration;

use url::Url;

use crate::auth::profile::AuthProfile;
use crate::guards::balance::{BalancedTarget, TargetError};
use crate::guards::breaker::Breaker;
use crate::guards::budget::RetryBudget;
use crate::guards::hedge::{Hedge, HedgeDelay};
use crate::guards::limiter::AdaptiveConcurrency;
use crate::guards::outage::{self, OutageWait};
use crate::guards::pacing::Pacing;
use crate::guards::rate::Rate;
use crate::guards::shedding::LoadShedding;
use crate::guards::throttle::Throttle;
use crate::model::method::Method;
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
#[non_exhaustive]
pub struct EngineConfig {
    /// How each host's concurrency limit adapts to its responses.
    pub adaptive: Option<AdaptiveConcurrency>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub(crate) auth: Vec<AuthProfile>,
    /// The circuit breaker of each host.
    pub breaker: Option<Breaker>,
    /// The budget of retries and hedges over all hosts.
    pub budget: Option<RetryBudget>,
    /// How many attempts may be in flight at once.
    pub concurrency: NonZeroUsize,
    /// Whether decisions and their reasons are reported.
    pub events: bool,
    /// The budget of retries and hedges of each host.
    pub host_budget: Option<RetryBudget>,
    /// How fast attempts at one host may start.
    pub host_rate: Option<Rate>,
    /// How hosts that limit the rate of requests are paced.
    pub pacing: Option<Pacing>,
    /// How long fetches wait for hosts that are down, if they do:
    /// [`wait_for_outages`](Self::wait_for_outages).
    pub outages: Option<OutageWait>,
    /// How many attempts at one host may be in flight at once.
    pub per_host: Option<NonZeroUsize>,
    /// How fast attempts may start over all hosts.
    pub rate: Option<Rate>,
    /// The rules that choose each fetch's policy.
    pub rules: PolicyRules,
    /// When fetches of an overloaded host's queue are shed.
    pub shed: Option<LoadShedding>,
    /// Whether attempts at a host start slowly after a pause: [`slow_start`](Self::slow_start).
    pub slow_start: bool,
    /// The shortest and the longest time between the starts of two attempts at one host.
    pub spacing: Option<(Duration, Duration)>,
    pub(crate) targets: Vec<(Url, BalancedTarget)>,
    /// When requests are delayed because an overloaded host would reject them.
    pub throttle: Option<Throttle>,
    /// How many fetches may be live at once, if that is set: [`window_size`](Self::window_size).
    pub window: Option<NonZeroUsize>,
}

impl EngineConfig {
    /// How many windows of fetches may wait for hosts that are down, in addition to the
    /// [`window`](Self::window) of all others, so that they do not hold up other hosts.
    pub const WINDOWS_OF_WAITING: usize = 3;

    /// Sets the tokens that requests to certain URLs share. The profile with the longest scope that has
    /// a URL counts, also after a redirect; of equals, the first. At most 65,535. `fetch-driver` sets
    /// those of its fetcher.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, EngineConfig};
    /// let profile = AuthProfile::new("api").scope("https://api.test/".parse()?);
    /// let config = EngineConfig::default().auth_profiles([profile]);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn auth_profiles(mut self, profiles: impl IntoIterator<Item = AuthProfile>) -> Self {
        self.auth = profiles.into_iter().collect();
        self
    }

    /// The name of the authentication profile with this number, which is its place among
    /// [`auth_profiles`](Self::auth_profiles), from 0.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, EngineConfig};
    ///
    /// let config = EngineConfig::default().auth_profiles([AuthProfile::new("api")]);
    /// assert_eq!((config.profile_name(0), config.profile_name(1)), (Some("api"), None));
    /// ```
    #[must_use]
    pub fn profile_name(&self, number: u16) -> Option<&str> {
        Some(self.auth.get(usize::from(number))?.name())
    }

    /// Sets how each host's concurrency limit adapts to its responses. It never exceeds
    /// [`per_host`](Self::per_host). Default: no adaptive limit.
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

    /// Sets the circuit breaker of each host. Default: none.
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

    /// Sets the budget of retries and hedges over all hosts. Default: as many as the policies allow.
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

    /// Sets the budget of retries and hedges of each host. Default: as many as the policies allow.
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

    /// Sets when fetches of an overloaded host's queue are shed. Default: never.
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

    /// Sets whether attempts at a host start slowly after a `Retry-After` pause or an open breaker: one
    /// at first, then one more for each that is not refused, so twice as many with each round trip.
    /// Default: yes, because otherwise all fetches that waited start at once and may overload it again.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().slow_start(false);
    /// ```
    #[must_use]
    pub const fn slow_start(mut self, on: bool) -> Self {
        self.slow_start = on;
        self
    }

    /// Sets the time between the starts of two attempts at one host, drawn evenly from this range each
    /// time. Default: none.
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

    /// Balances the origin of `url` over the endpoints of a target: each attempt goes to one of them.
    /// Limits, rates and breakers apply to each endpoint.
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
    /// The target has no endpoint, or an endpoint that is not an origin.
    pub fn target(mut self, url: Url, target: BalancedTarget) -> Result<Self, TargetError> {
        target.validate()?;
        self.targets
            .retain(|(known, _)| known.origin() != url.origin());
        self.targets.push((url, target));
        Ok(self)
    }

    /// Sets when requests are delayed because an overloaded host would reject them. Default: never.
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

    /// Sets that fetches wait for hosts that are down, instead of failing one after the other. The
    /// circuit breaker of each host is then [`Breaker::FOR_OUTAGES`], unless one is set by
    /// [`breaker`](Self::breaker); one that fails fast does so. `None` and a wait of zero turn it off.
    /// Default: off, each fetch fails as soon as its attempts have failed.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, OutageWait};
    /// let config = EngineConfig::default().wait_for_outages(OutageWait::default());
    /// assert!(config.outages.is_some());
    /// ```
    #[must_use]
    pub fn wait_for_outages(mut self, wait: impl Into<Option<OutageWait>>) -> Self {
        self.outages = wait.into().filter(|wait| !wait.max.is_zero());
        self
    }

    /// The policy of a request that has none of its own: that of the first rule which matches its method
    /// and URL, or the default. A test can run it against a scripted server, in virtual time.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Method};
    /// # #[cfg(feature = "testing")] {
    /// use fetch_proto::testing::{FetchScript, status};
    ///
    /// let config = EngineConfig::default();
    /// let policy = config.policy_for(&Method::Get, &"http://a.test/delay/1".parse()?);
    /// let run = FetchScript::new((**policy).clone()).answers([status(404)]).run();
    /// assert_eq!(run.to_string(), "0s start · 0s 404 done");
    /// # }
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn policy_for(&self, method: &Method, url: &Url) -> &Arc<Policy> {
        self.rules.policy(method, url)
    }

    /// The breaker that hosts have.
    pub(crate) fn host_breaker(&self) -> Option<Breaker> {
        let waits = self.outages.is_some_and(|wait| !wait.max.is_zero());
        self.breaker
            .or_else(|| waits.then_some(Breaker::FOR_OUTAGES))
    }

    /// How long fetches wait for hosts that are down; `None` if they do not: with a breaker that fails
    /// fast, or without [`outages`](field@Self::outages).
    ///
    /// ```
    /// use fetch_proto::{Breaker, EngineConfig, OnOpen, OutageWait};
    ///
    /// let config = EngineConfig::default().wait_for_outages(OutageWait::default());
    /// assert!(config.effective_outage_wait().is_some());
    /// let config = config.breaker(Breaker::default().on_open(OnOpen::FailFast));
    /// assert_eq!(config.effective_outage_wait(), None);
    /// ```
    #[must_use]
    pub fn effective_outage_wait(&self) -> Option<OutageWait> {
        let wait = self.outages.filter(|wait| !wait.max.is_zero())?;
        let defers = self.host_breaker().is_some_and(|one| outage::defers(&one));
        defers.then_some(wait)
    }

    /// Whether hosts need [guards](super::limits::host_guards::HostGuards).
    pub(crate) fn is_guarded(&self) -> bool {
        self.adaptive.is_some()
            || self.breaker.is_some()
            || self.host_budget.is_some()
            || self.pacing.is_some()
            || self.outages.is_some()
            || self.shed.is_some()
            || self.throttle.is_some()
            || self.needs_latency()
    }

    /// Whether the hedge delay of a rule depends on measured latency.
    pub(crate) fn needs_latency(&self) -> bool {
        let needs = |policy: &Policy| {
            let delay = policy.hedge.map(|hedge: Hedge| hedge.delay);
            matches!(delay, Some(HedgeDelay::Percentile { .. }))
        };
        needs(self.rules.default_policy()) || self.rules.iter().any(|(_, policy)| needs(policy))
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

    /// Sets whether [`EngineOutput::Event`](crate::EngineOutput::Event) reports decisions and their
    /// reasons. Default: no, because it costs a little for each fetch.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().events(true);
    /// ```
    #[must_use]
    pub fn events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }

    /// Sets how fast attempts at one host (scheme, host and port) may start. Default: no limit.
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

    /// Sets that the starts at a host that answers 429, or 503 while it also answers normally, are
    /// spaced so that it accepts nearly all. Such an answer does not use up an attempt. Default: no
    /// pacing.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Pacing};
    /// let config = EngineConfig::default().pacing(Pacing::default());
    /// ```
    #[must_use]
    pub fn pacing(mut self, pacing: impl Into<Option<Pacing>>) -> Self {
        self.pacing = pacing.into();
        self
    }

    /// Sets how many attempts at one host (scheme, host and port) may be in flight at once. 0, the
    /// default, means no limit per host.
    ///
    /// ```
    /// let config = fetch_proto::EngineConfig::default().per_host(4);
    /// ```
    #[must_use]
    pub fn per_host(mut self, attempts: usize) -> Self {
        self.per_host = NonZeroUsize::new(attempts);
        self
    }

    /// Sets how fast attempts may start over all hosts. Default: no limit.
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

    /// Sets how many fetches may be live at once: queued, in flight or waiting for a retry. The window
    /// bounds the memory, and it is how far the engine looks ahead for other hosts while one is busy.
    /// Default: 4 × the concurrency, at least 10,000.
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
        // Slots are numbered by `u32`, and `u32::MAX` means no slot.
        self.window
            .map_or(default, NonZeroUsize::get)
            .min(u32::MAX as usize - 1)
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
            auth: Vec::new(),
            breaker: None,
            budget: None,
            concurrency: const { NonZeroUsize::new(100).unwrap() },
            events: false,
            host_budget: None,
            host_rate: None,
            pacing: None,
            outages: None,
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

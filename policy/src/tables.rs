//! The tables for the engine as a whole: limits, breaker, budgets, throttle, shed, targets.

use std::time::Duration;

use fetch_proto::{
    AdaptiveConcurrency, Aimd, BreakerMode, Gradient2, OnOpen, OutlierDetection, RetryBudget,
    TargetEndpoint, Vegas,
};
use serde::Deserialize;
use url::Url;

use crate::values::{DurationText, Percent, RateText, table};

table! {
    Limits {
        adaptive: AdaptiveLimit,
        concurrency: usize,
        host_max_wait: DurationText,
        host_rate: RateText,
        per_host: usize,
        rate: RateText,
        slow_start: bool,
        spacing: [DurationText; 2],
        window: usize,
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdaptiveLimit {
    law: AdaptiveAlgorithm,
    initial: Option<u32>,
    max: Option<u32>,
    min: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AdaptiveAlgorithm {
    Aimd,
    Gradient2,
    Vegas,
}

impl AdaptiveLimit {
    pub(crate) fn adaptive(self) -> AdaptiveConcurrency {
        macro_rules! law {
            ($kind:ident) => {{
                let law = $kind::default();
                AdaptiveConcurrency::$kind(
                    law.initial(self.initial.unwrap_or(law.initial))
                        .max(self.max.unwrap_or(law.max))
                        .min(self.min.unwrap_or(law.min)),
                )
            }};
        }
        match self.law {
            AdaptiveAlgorithm::Aimd => law!(Aimd),
            AdaptiveAlgorithm::Gradient2 => law!(Gradient2),
            AdaptiveAlgorithm::Vegas => law!(Vegas),
        }
    }
}

table! {
    CacheKeys {
        heuristic_max: DurationText,
        heuristic_percent: Percent,
        max_body: u64,
        max_ttl: DurationText,
        min_ttl: DurationText,
        mode: String,
        shared: bool,
        size: u64,
        stale_if_error: DurationText,
        stale_while_revalidate: DurationText,
        store: String,
        targeted: Vec<String>,
    }
}

table! {
    Breaker {
        consecutive: u32,
        failure_percent: Percent,
        minimum_calls: u32,
        mode: BreakerMode,
        on_open: OnOpen,
        open: DurationText,
        open_cap: DurationText,
        open_factor: u32,
        open_jitter_percent: Percent,
        probe_lease: DurationText,
        probes: u32,
        probes_at_once: u32,
        probes_of: u32,
        slow_after: DurationText,
        slow_percent: Percent,
        window: DurationText,
    }
}

impl Breaker {
    /// The window that is set, or the default.
    pub(crate) fn window(&self) -> Duration {
        self.window
            .map_or(Duration::from_secs(30), |window| window.0)
    }

    pub(crate) fn breaker(&self) -> fetch_proto::Breaker {
        let seconds = Duration::from_secs;
        let or = |period: Option<DurationText>, default| period.map_or(default, |period| period.0);
        let mut breaker = fetch_proto::Breaker::default()
            .open(
                or(self.open, seconds(5)),
                self.open_factor.unwrap_or(2),
                or(self.open_cap, seconds(60)),
            )
            .probes(self.probes.unwrap_or(2), self.probes_of.unwrap_or(3))
            .window(self.window());
        if let Some(failures) = self.consecutive {
            breaker = breaker.consecutive(failures);
        }
        if let Some(percent) = self.failure_percent {
            breaker = breaker.failure_ratio(Some(percent.per_mille()).filter(|ratio| *ratio > 0));
        }
        if let Some(calls) = self.minimum_calls {
            breaker = breaker.minimum_calls(calls);
        }
        if let Some(mode) = self.mode {
            breaker = breaker.mode(mode);
        }
        if let Some(on_open) = self.on_open {
            breaker = breaker.on_open(on_open);
        }
        if let Some(percent) = self.open_jitter_percent {
            breaker = breaker.open_jitter(percent.per_mille());
        }
        if let Some(lease) = self.probe_lease {
            breaker = breaker.probe_lease(lease.0);
        }
        if let Some(probes) = self.probes_at_once {
            breaker = breaker.probes_at_once(probes);
        }
        if let Some((percent, after)) = self.slow_percent.zip(self.slow_after) {
            breaker = breaker.slow(percent.per_mille(), after.0);
        }
        breaker
    }
}

table! {
    /// A retry budget of any kind, with the keys of all kinds: an enum would lose the position of
    /// an error in serde.
    Budget {
        capacity: u32,
        kind: BudgetKind,
        max: u32,
        min_per_second: u32,
        percent: u32,
        retry_cost: u32,
        success_percent: u32,
        throttle_cost: u32,
        timeout_cost: u32,
        ttl: DurationText,
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BudgetKind {
    Capacity,
    Ratio,
    Tokens,
}

impl BudgetKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Ratio => "ratio",
            Self::Tokens => "tokens",
        }
    }
}

impl Budget {
    /// # Errors
    ///
    /// If `kind` is missing, or a key belongs to another kind: returns that key and a message.
    pub(crate) fn budget(&self) -> Result<RetryBudget, (&'static str, String)> {
        use BudgetKind::{Capacity, Ratio, Tokens};
        let Some(kind) = self.kind else {
            let why = "missing field `kind`: \"capacity\", \"ratio\" or \"tokens\"";
            return Err(("", why.to_owned()));
        };
        let given = [
            ("capacity", Capacity, self.capacity.is_some()),
            ("max", Tokens, self.max.is_some()),
            ("min_per_second", Ratio, self.min_per_second.is_some()),
            ("percent", Ratio, self.percent.is_some()),
            ("retry_cost", Capacity, self.retry_cost.is_some()),
            ("success_percent", Tokens, self.success_percent.is_some()),
            ("throttle_cost", Capacity, self.throttle_cost.is_some()),
            ("timeout_cost", Capacity, self.timeout_cost.is_some()),
            ("ttl", Ratio, self.ttl.is_some()),
        ];
        let other = |(_, of, given): &&(_, BudgetKind, bool)| *given && *of != kind;
        if let Some((key, of, _)) = given.iter().find(other) {
            let (of, kind) = (of.name(), kind.name());
            let why = format!("this key belongs to kind = \"{of}\", but this budget is \"{kind}\"");
            return Err((key, why));
        }
        Ok(match kind {
            Capacity => RetryBudget::Capacity {
                capacity: self.capacity.unwrap_or(500),
                retry_cost: self.retry_cost.unwrap_or(5),
                throttle_cost: self.throttle_cost.unwrap_or(5),
                timeout_cost: self.timeout_cost.unwrap_or(10),
            },
            Ratio => RetryBudget::Ratio {
                min_per_second: self.min_per_second.unwrap_or(10),
                per_mille: self.percent.unwrap_or(20).saturating_mul(10),
                ttl: self.ttl.map_or(Duration::from_secs(10), |ttl| ttl.0),
            },
            Tokens => RetryBudget::Tokens {
                max: self.max.unwrap_or(10),
                success_per_mille: self.success_percent.unwrap_or(10).saturating_mul(10),
            },
        })
    }
}

table! { Throttle { cap_percent: Percent, k_percent: u32, minimum: u32, window: DurationText, } }

impl Throttle {
    /// `at_once` is the number of attempts that may be in flight to one host.
    pub(crate) fn throttle(&self, at_once: usize) -> fetch_proto::Throttle {
        // Attempts in flight count as not accepted, so the minimum must not be below their limit.
        let least = u32::try_from(at_once).unwrap_or(u32::MAX).max(20);
        let mut throttle = fetch_proto::Throttle::default().minimum(self.minimum.unwrap_or(least));
        if let Some(percent) = self.cap_percent {
            throttle = throttle.cap(percent.per_mille());
        }
        if let Some(percent) = self.k_percent {
            throttle = throttle.k(percent.saturating_mul(10));
        }
        if let Some(window) = self.window {
            throttle = throttle.window(window.0);
        }
        throttle
    }
}

table! { Shed { interval: DurationText, target: DurationText, } }

impl Shed {
    pub(crate) fn shed(&self) -> fetch_proto::LoadShedding {
        let default = fetch_proto::LoadShedding::default();
        default
            .interval(self.interval.map_or(default.interval, |period| period.0))
            .target(self.target.map_or(default.target, |period| period.0))
    }
}

/// A logical origin that is served by several endpoints.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    endpoints: Vec<WeightedEndpoint>,
    #[serde(default)]
    outlier: bool,
    #[serde(default)]
    strategy: StrategyName,
    pub(crate) url: Url,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightedEndpoint {
    url: Url,
    weight: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StrategyName {
    #[default]
    LeastLoaded,
    PeakEwma,
    RoundRobin,
    Weighted,
}

impl Target {
    pub(crate) fn target(&self) -> fetch_proto::BalancedTarget {
        let endpoints = self.endpoints.iter().map(|served| {
            TargetEndpoint::new(served.url.clone()).weight(served.weight.unwrap_or(1))
        });
        let strategy = match self.strategy {
            StrategyName::LeastLoaded => fetch_proto::BalanceStrategy::LeastLoaded,
            StrategyName::PeakEwma => fetch_proto::BalanceStrategy::PEAK_EWMA,
            StrategyName::RoundRobin => fetch_proto::BalanceStrategy::RoundRobin,
            StrategyName::Weighted => fetch_proto::BalanceStrategy::Weighted,
        };
        let target = fetch_proto::BalancedTarget::new(endpoints).strategy(strategy);
        target.outlier(self.outlier.then(OutlierDetection::default))
    }
}

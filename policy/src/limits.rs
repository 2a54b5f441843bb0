//! The tables about hosts and the whole: limits, breaker, budgets, throttle, shed, targets.

use std::time::Duration;

use fetch_proto::{
    Adaptive, Aimd, Balance, BreakerMode, Endpoint, Gradient2, OnOpen, Outlier, RetryBudget, Vegas,
};
use serde::Deserialize;
use url::Url;

use crate::keys::{Rate_, table};
use crate::time::{Percent, Period};

table! {
    Limits {
        adaptive: Learned,
        concurrency: usize,
        host_rate: Rate_,
        per_host: usize,
        rate: Rate_,
        slow_start: bool,
        spacing: [Period; 2],
        window: usize,
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Learned {
    law: Law,
    initial: Option<u32>,
    max: Option<u32>,
    min: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Law {
    Aimd,
    Gradient2,
    Vegas,
}

impl Learned {
    pub(crate) fn adaptive(self) -> Adaptive {
        macro_rules! law {
            ($kind:ident) => {{
                let law = $kind::default();
                Adaptive::$kind($kind {
                    initial: self.initial.unwrap_or(law.initial),
                    max: self.max.unwrap_or(law.max),
                    min: self.min.unwrap_or(law.min),
                    ..law
                })
            }};
        }
        match self.law {
            Law::Aimd => law!(Aimd),
            Law::Gradient2 => law!(Gradient2),
            Law::Vegas => law!(Vegas),
        }
    }
}

table! {
    Breaker {
        consecutive: u32,
        failure_percent: Percent,
        minimum_calls: u32,
        mode: BreakerMode,
        on_open: OnOpen,
        open: Period,
        open_cap: Period,
        open_factor: u32,
        open_jitter_percent: Percent,
        probe_lease: Period,
        probes: u32,
        probes_at_once: u32,
        probes_of: u32,
        slow_after: Period,
        slow_percent: Percent,
        window: Period,
    }
}

impl Breaker {
    /// Its window, as set or by default.
    pub(crate) fn window(&self) -> Duration {
        self.window
            .map_or(Duration::from_secs(30), |window| window.0)
    }

    pub(crate) fn breaker(&self) -> fetch_proto::Breaker {
        let seconds = Duration::from_secs;
        let or = |period: Option<Period>, default| period.map_or(default, |period| period.0);
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

/// A retry budget of one of three kinds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Budget {
    Capacity {
        capacity: Option<u32>,
        retry_cost: Option<u32>,
        throttle_cost: Option<u32>,
        timeout_cost: Option<u32>,
    },
    Ratio {
        min_per_second: Option<u32>,
        percent: Option<u32>,
        ttl: Option<Period>,
    },
    Tokens {
        max: Option<u32>,
        success_percent: Option<u32>,
    },
}

impl Budget {
    pub(crate) fn budget(self) -> RetryBudget {
        match self {
            Self::Capacity {
                capacity,
                retry_cost,
                throttle_cost,
                timeout_cost,
            } => RetryBudget::Capacity {
                capacity: capacity.unwrap_or(500),
                retry_cost: retry_cost.unwrap_or(5),
                throttle_cost: throttle_cost.unwrap_or(5),
                timeout_cost: timeout_cost.unwrap_or(10),
            },
            Self::Ratio {
                min_per_second,
                percent,
                ttl,
            } => RetryBudget::Ratio {
                min_per_second: min_per_second.unwrap_or(10),
                per_mille: percent.unwrap_or(20).saturating_mul(10),
                ttl: ttl.map_or(Duration::from_secs(10), |ttl| ttl.0),
            },
            Self::Tokens {
                max,
                success_percent,
            } => RetryBudget::Tokens {
                max: max.unwrap_or(10),
                success_per_mille: success_percent.unwrap_or(10).saturating_mul(10),
            },
        }
    }
}

table! { Throttle { cap_percent: Percent, k_percent: u32, minimum: u32, window: Period, } }

impl Throttle {
    /// The least number of requests before it holds back, as set or by default.
    pub(crate) fn minimum(&self) -> u32 {
        self.minimum.unwrap_or(20)
    }

    pub(crate) fn throttle(&self) -> fetch_proto::Throttle {
        let mut throttle = fetch_proto::Throttle::default().minimum(self.minimum());
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

table! { Shed { interval: Period, target: Period, } }

impl Shed {
    pub(crate) fn shed(&self) -> fetch_proto::Shed {
        let default = fetch_proto::Shed::default();
        fetch_proto::Shed {
            interval: self.interval.map_or(default.interval, |period| period.0),
            target: self.target.map_or(default.target, |period| period.0),
        }
    }
}

/// A service behind several servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    endpoints: Vec<Served>,
    #[serde(default)]
    outlier: bool,
    #[serde(default)]
    strategy: Strategy,
    pub(crate) url: Url,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Served {
    url: Url,
    weight: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    #[default]
    LeastLoaded,
    PeakEwma,
    RoundRobin,
    Weighted,
}

impl Target {
    pub(crate) fn target(&self) -> fetch_proto::Target {
        let endpoints = self.endpoints.iter().map(|served| Endpoint {
            url: served.url.clone(),
            weight: served.weight.unwrap_or(1),
        });
        let strategy = match self.strategy {
            Strategy::LeastLoaded => Balance::LeastLoaded,
            Strategy::PeakEwma => Balance::PEAK_EWMA,
            Strategy::RoundRobin => Balance::RoundRobin,
            Strategy::Weighted => Balance::Weighted,
        };
        let target = fetch_proto::Target::new(endpoints).strategy(strategy);
        target.outlier(self.outlier.then(Outlier::default))
    }
}

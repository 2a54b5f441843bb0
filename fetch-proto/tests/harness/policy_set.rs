//! The policies of a run.

use std::num::NonZeroU32;
use std::time::Duration;

use fetch_proto::{
    AdaptiveConcurrency, Aimd, Backoff, BalancedTarget, Breaker, ChaosPolicy, EngineConfig,
    FailureKind, Fallback, Gradient2, Hedge, HedgeDelay, InjectedFault, LoadShedding, OnOpen,
    OutlierDetection, Policy, PolicyRules, Rate, RetryBudget, StallGuard, TargetEndpoint, Throttle,
    Timeouts, Vegas,
};

use super::RequestSite;

/// The request sites whose circuits are checked, with their hosts.
pub const HOSTS: [(RequestSite, &str); 2] = [
    (RequestSite::A, "http://a.test"),
    (RequestSite::B, "http://b.test"),
];

/// A set of policies, one bit each.
#[derive(Clone, Copy, Default, Eq, PartialEq, arbitrary::Arbitrary)]
pub struct PolicySet(pub u32);

/// Names the bits, from the lowest.
macro_rules! policies {
    ($($name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy)]
        enum PolicyBit { $($name),* }

        impl PolicySet {
            $(pub const $name: Self = Self(1 << PolicyBit::$name as u32);)*
            const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}

policies! {
    AIMD BREAKER BUDGET CHAOS CLOCK_JUMP EVENTS FAIL_FAST FALLBACK GRADIENT HEDGE HEDGE_LATENCY
    HOST_BUDGET HOST_RATE LONE PER_HOST QUEUE_LIMIT RATE RULE_RATE SHED SPACING STALL TARGETS
    THROTTLE TOKENS VEGAS
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = |i: &usize| self.0 >> i & 1 == 1;
        let names = (0..Self::NAMES.len()).filter(set).map(|i| Self::NAMES[i]);
        f.debug_list().entries(names).finish()
    }
}

impl std::ops::BitOr for PolicySet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn url(url: &str) -> url::Url {
    url.parse().expect("it is a URL")
}

impl PolicySet {
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub fn has_chaos(self) -> bool {
        self.has(Self::CHAOS | Self::CLOCK_JUMP)
    }

    /// The number of hosts that are never removed.
    pub fn targets(self) -> usize {
        if self.has(Self::TARGETS) { 3 } else { 0 }
    }

    /// The global rate, the rate per host, and the rate of the rule.
    pub fn rates(self) -> [Option<Rate>; 3] {
        let rate = |bit: Self, count: u32, per: u64| {
            let count = NonZeroU32::new(count).expect("not 0");
            Rate::new(count, millis(per)).filter(|_| self.has(bit))
        };
        [
            rate(Self::RATE, 3, 1000),
            rate(Self::HOST_RATE, 2, 1000),
            rate(Self::RULE_RATE, 1, 500),
        ]
    }

    pub fn hedge(self) -> Option<Hedge> {
        let delay = if self.has(Self::HEDGE_LATENCY) {
            HedgeDelay::Percentile {
                per_mille: 900,
                min: millis(50),
                fallback: Some(millis(300)),
            }
        } else {
            HedgeDelay::Fixed(millis(200))
        };
        let hedge = Hedge::default().delay(delay);
        self.has(Self::HEDGE | Self::HEDGE_LATENCY).then_some(hedge)
    }

    /// The policy of every fetch.
    pub fn policy(self) -> Policy {
        let mut chaos = ChaosPolicy::default();
        if self.has(Self::CHAOS) {
            chaos = chaos
                .fault(100, InjectedFault::Error(FailureKind::Connect))
                .fault(100, InjectedFault::latency(millis(10)..=millis(100)))
                .fault(100, InjectedFault::Reset)
                .fault(100, InjectedFault::Stall)
                .fault(100, InjectedFault::Truncate(5));
        }
        if self.has(Self::CLOCK_JUMP) {
            chaos = chaos.fault(200, InjectedFault::ClockJump(millis(1500)));
        }
        let timeouts = Timeouts::NONE
            .attempt(millis(1000))
            .queue(self.has(Self::QUEUE_LIMIT).then_some(millis(700)))
            .total(millis(8000));
        let policy = Policy::default()
            .backoff(Backoff::default().base(millis(100)).jitter(None))
            .chaos(chaos)
            .hedge(self.hedge())
            .max_body(1000)
            .rate(self.rates()[2])
            .timeouts(timeouts);
        let guard = StallGuard::default().grace(millis(300));
        let policy = policy.stall(self.has(Self::STALL).then_some(guard));
        if self.has(Self::FALLBACK) {
            policy.fallback(Fallback::to(url("http://b.test/fallback")))
        } else {
            policy
        }
    }

    pub fn concurrency(self) -> usize {
        if self.has(Self::LONE) { 1 } else { 3 }
    }

    pub fn per_host(self) -> usize {
        if self.has(Self::PER_HOST) {
            1
        } else {
            usize::MAX
        }
    }

    pub fn config(self) -> EngineConfig {
        let [rate, host_rate, _] = self.rates();
        let mut config = EngineConfig::default()
            .adaptive(self.adaptive())
            .breaker(self.breaker())
            .budget(self.budget())
            .concurrency(self.concurrency())
            .events(self.has(Self::EVENTS))
            .host_budget(
                self.has(Self::HOST_BUDGET)
                    .then_some(RetryBudget::Capacity {
                        capacity: 10,
                        retry_cost: 5,
                        throttle_cost: 5,
                        timeout_cost: 10,
                    }),
            )
            .per_host(if self.has(Self::PER_HOST) { 1 } else { 0 })
            .rules(PolicyRules::from_policy(self.policy()))
            .throttle(
                self.has(Self::THROTTLE)
                    .then(|| Throttle::default().minimum(2)),
            )
            .window(20);
        let shed = LoadShedding::default()
            .target(millis(300))
            .interval(millis(300));
        config = config.shed(self.has(Self::SHED).then_some(shed));
        if self.has(Self::SPACING) {
            config = config.spacing(millis(50)..=millis(150));
        }
        if let Some(rate) = rate {
            config = config.rate(rate);
        }
        if let Some(rate) = host_rate {
            config = config.host_rate(rate);
        }
        if self.has(Self::TARGETS) {
            config = config
                .target(url("http://service.test"), self.target())
                .expect("it can be balanced");
        }
        config
    }

    fn adaptive(self) -> Option<AdaptiveConcurrency> {
        if self.has(Self::AIMD) {
            let aimd = Aimd::default().initial(2).backoff_per_mille(500);
            return Some(AdaptiveConcurrency::Aimd(aimd));
        }
        if self.has(Self::VEGAS) {
            return Some(AdaptiveConcurrency::Vegas(Vegas::default().initial(2)));
        }
        let gradient = Gradient2::default().initial(2);
        self.has(Self::GRADIENT)
            .then_some(AdaptiveConcurrency::Gradient2(gradient))
    }

    fn breaker(self) -> Option<Breaker> {
        let fail_fast = self.has(Self::FAIL_FAST);
        let on_open = if fail_fast {
            OnOpen::FailFast
        } else {
            OnOpen::Defer
        };
        let breaker = Breaker::default()
            .consecutive(2)
            .minimum_calls(4)
            .on_open(on_open)
            .open(millis(500), 2, millis(4000));
        (fail_fast || self.has(Self::BREAKER)).then_some(breaker)
    }

    fn budget(self) -> Option<RetryBudget> {
        if self.has(Self::TOKENS) {
            return Some(RetryBudget::Tokens {
                max: 4,
                success_per_mille: 500,
            });
        }
        self.has(Self::BUDGET).then_some(RetryBudget::Ratio {
            min_per_second: 1,
            per_mille: 500,
            ttl: millis(1000),
        })
    }

    fn target(self) -> BalancedTarget {
        let urls = ["http://a.test", "http://b.test"];
        let outlier = OutlierDetection::default();
        BalancedTarget::new(urls.map(|one| TargetEndpoint::new(url(one)))).outlier(outlier)
    }
}

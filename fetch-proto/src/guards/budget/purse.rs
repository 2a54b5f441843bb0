//! The state of a retry budget.

use core::ops::AddAssign;
use core::time::Duration;

use super::{ONE, RetryBudget, RetryCost, RetryKind};
use crate::guards::portion::Portion;
use crate::guards::rolling_window::Slots;
use crate::model::time::Timestamp;

/// A bucket unchanged for this long can be dropped, which refills it.
const REST: Duration = Duration::from_secs(300);

/// State of a [`RetryBudget`], for one host or for all.
///
/// Record each request once, when it is first sent, and each success; ask before each retry. Which
/// of them matter depends on the budget. A clock that runs backwards only delays the expiry of
/// counts.
///
/// ```
/// use fetch_proto::{Purse, RetryBudget, RetryKind, Timestamp};
///
/// let now = Timestamp::START;
/// let mut purse = Purse::new(RetryBudget::CAPACITY);
/// purse.request(now);
/// let paid = purse.try_retry(RetryKind::Timeout, now);
/// assert_eq!(purse.balance(now), 98);
/// purse.success(paid, now);
/// assert_eq!(purse.balance(now), 100);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Purse {
    config: RetryBudget,
    /// Fraction of the bucket or reserve that belongs to this instance, if several share the budget.
    portion: Portion,
    store: Store,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum Store {
    /// For [`RetryBudget::Capacity`] and [`RetryBudget::Tokens`].
    Bucket {
        /// Thousandths.
        level: u64,
        /// Time of the last change of `level`.
        touched: Timestamp,
    },
    /// For [`RetryBudget::Ratio`].
    Window {
        /// Time of the last retry that used the reserve, beyond what requests had allowed.
        drawn: Option<Timestamp>,
        /// Deposits of requests less withdrawals of retries.
        net: Slots<Thousandths>,
    },
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Thousandths(i64);

impl AddAssign for Thousandths {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl Purse {
    /// Starts with a full bucket, or with the minimum allowed before any request.
    ///
    /// ```
    /// use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// // Ten per second for ten seconds.
    /// assert_eq!(Purse::new(RetryBudget::RATIO).balance(Timestamp::START), 100);
    /// ```
    #[must_use]
    pub fn new(config: RetryBudget) -> Self {
        Self::of_portion(config, Portion::default())
    }

    /// Creates one of several instances that share the budget.
    pub(crate) fn of_portion(config: RetryBudget, portion: Portion) -> Self {
        let store = match config {
            RetryBudget::Ratio { ttl, .. } => Store::Window {
                drawn: None,
                net: Slots::new(ttl),
            },
            RetryBudget::Capacity { .. } | RetryBudget::Tokens { .. } => Store::Bucket {
                level: full(&config, portion),
                touched: Timestamp::START,
            },
        };
        Self {
            config,
            portion,
            store,
        }
    }

    /// Records that a request is sent for the first time.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::RATIO);
    /// (0..5).for_each(|_| purse.request(Timestamp::START));
    /// assert_eq!(purse.balance(Timestamp::START), 101);
    /// ```
    pub fn request(&mut self, now: Timestamp) {
        if let (RetryBudget::Ratio { per_mille, .. }, Store::Window { net, .. }) =
            (&self.config, &mut self.store)
        {
            *net.current(now) += Thousandths(i64::from(*per_mille));
        }
    }

    /// Records that a request succeeded; `paid` is the cost of its last retry, if there was one.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, RetryKind, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::TOKENS);
    /// purse.failure(Timestamp::START);
    /// (0..10).for_each(|_| purse.success(None, Timestamp::START));
    /// assert!(purse.is_idle(Timestamp::START));
    /// ```
    pub fn success(&mut self, paid: Option<RetryCost>, now: Timestamp) {
        match self.config {
            RetryBudget::Capacity { .. } => {
                self.give(u64::from(paid.map_or(1, |cost| cost.0)) * ONE, now);
            }
            RetryBudget::Ratio { .. } => {}
            RetryBudget::Tokens {
                success_per_mille, ..
            } => self.give(success_per_mille.into(), now),
        }
    }

    /// Records a retryable failure that is not retried for another reason, such as the limit on
    /// attempts. Only [`RetryBudget::Tokens`] counts it.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::TOKENS);
    /// assert_eq!(purse.balance(Timestamp::START), 4);
    /// purse.failure(Timestamp::START);
    /// assert_eq!(purse.balance(Timestamp::START), 3);
    /// ```
    pub fn failure(&mut self, now: Timestamp) {
        if let RetryBudget::Tokens { .. } = self.config {
            self.take(ONE, now);
        }
    }

    /// Takes one retry from the budget, or returns `None` if it is exhausted.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, RetryKind, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::RATIO);
    /// let mut retry = || purse.try_retry(RetryKind::Timeout, Timestamp::START);
    /// assert_eq!((0..500).filter_map(|_| retry()).count(), 100);
    /// ```
    pub fn try_retry(&mut self, kind: RetryKind, now: Timestamp) -> Option<RetryCost> {
        let allowed = self.allows(kind, now);
        let cost = self.config.cost(kind);
        match (&self.config, &mut self.store) {
            (RetryBudget::Tokens { .. }, _) => self.take(ONE, now),
            (_, Store::Window { drawn, net }) if allowed => {
                *net.current(now) += Thousandths(-(ONE as i64));
                if net.sum(now).0 < 0 {
                    *drawn = (*drawn).max(Some(now));
                }
            }
            (_, Store::Bucket { .. }) if allowed => self.take(u64::from(cost) * ONE, now),
            _ => {}
        }
        allowed.then_some(RetryCost(cost))
    }

    /// Whether [`try_retry`](Self::try_retry) would succeed. Ask first where a retry needs two
    /// budgets, such as its host's and that of all hosts.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, RetryKind, Timestamp};
    /// let purse = Purse::new(RetryBudget::Tokens { max: 2, success_per_mille: 100 });
    /// assert!(!purse.allows(RetryKind::Transient, Timestamp::START));
    /// ```
    #[must_use]
    pub fn allows(&self, kind: RetryKind, now: Timestamp) -> bool {
        let there = self.available(now);
        match self.config {
            RetryBudget::Capacity { .. } => there >= u64::from(self.config.cost(kind)) * ONE,
            RetryBudget::Ratio { .. } => there >= ONE,
            RetryBudget::Tokens { .. } => there > ONE,
        }
    }

    /// Number of retries after [`RetryKind::Transient`] that are available at `now`.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// assert_eq!(Purse::new(RetryBudget::CAPACITY).balance(Timestamp::START), 100);
    /// ```
    #[must_use]
    pub fn balance(&self, now: Timestamp) -> u64 {
        let there = self.available(now);
        match self.config {
            RetryBudget::Capacity { retry_cost, .. } => there
                .checked_div(u64::from(retry_cost) * ONE)
                .unwrap_or(u64::MAX),
            RetryBudget::Ratio { .. } => there / ONE,
            RetryBudget::Tokens { .. } => there.saturating_sub(1) / ONE,
        }
    }

    /// Changes the budget and keeps the counted requests and retries, or the relative fill level
    /// of the bucket (as gRPC does). A change between [`RetryBudget::Ratio`] and another kind
    /// resets the state.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::Tokens { max: 4, success_per_mille: 1000 });
    /// purse.failure(Timestamp::START);
    /// purse.set_config(RetryBudget::Tokens { max: 100, success_per_mille: 1000 });
    /// // 75 of 100 tokens.
    /// assert_eq!(purse.balance(Timestamp::START), 24);
    /// ```
    pub fn set_config(&mut self, config: RetryBudget) {
        match (&mut self.store, &config) {
            (Store::Window { net, .. }, RetryBudget::Ratio { ttl, .. }) => net.resize(*ttl),
            (
                Store::Bucket { level, .. },
                RetryBudget::Capacity { .. } | RetryBudget::Tokens { .. },
            ) => {
                let (old, new) = (
                    full(&self.config, self.portion),
                    full(&config, self.portion),
                );
                let share = u128::from(*level) * u128::from(new);
                *level = share.checked_div(old.into()).map_or(new, |l| l as u64);
            }
            _ => *self = Self::of_portion(config, self.portion),
        }
        self.config = config;
    }

    /// Changes the fraction and the bucket's fill level, of [`RetryBudget::FULL`]. Tokens that
    /// leave this instance have been accounted for elsewhere by the caller.
    pub(crate) fn set_portion(&mut self, portion: Portion, fill: u64) {
        self.portion = portion;
        let full = u128::from(self.full());
        let fill = fill.min(RetryBudget::FULL);
        if let Store::Bucket { level, .. } = &mut self.store {
            *level = (full * u128::from(fill) / u128::from(RetryBudget::FULL)) as u64;
        }
    }

    /// Fill level of the bucket, of [`RetryBudget::FULL`]. A bucket of size 0 counts as full.
    pub(crate) fn fill(&self) -> u64 {
        let Store::Bucket { level, .. } = self.store else {
            return RetryBudget::FULL;
        };
        let full = u128::from(self.full());
        if full == 0 {
            return RetryBudget::FULL;
        }
        // Rounded up, so that an unchanged fraction restores exactly the same level.
        (u128::from(level) * u128::from(RetryBudget::FULL)).div_ceil(full) as u64
    }

    /// When the last retry that used the reserve expires; from then on the fraction may change. A
    /// bucket's fraction may change at any time.
    pub(crate) fn rests_at(&self) -> Timestamp {
        match (&self.store, &self.config) {
            (Store::Window { drawn, .. }, RetryBudget::Ratio { ttl, .. }) => {
                drawn.map_or(Timestamp::START, |at| at + *ttl)
            }
            _ => Timestamp::START,
        }
    }

    /// The current budget.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget};
    /// assert_eq!(Purse::new(RetryBudget::TOKENS).config(), &RetryBudget::TOKENS);
    /// ```
    #[must_use]
    pub const fn config(&self) -> &RetryBudget {
        &self.config
    }

    /// Whether this state can be dropped at `now` and created again later.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// assert!(Purse::new(RetryBudget::RATIO).is_idle(Timestamp::START));
    /// ```
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.idle_at() <= now
    }

    /// When this state can be dropped, if nothing else happens: when all requests and retries are
    /// older than the `ttl`, or when the bucket is full or unchanged for five minutes.
    ///
    /// ```
    /// # use fetch_proto::{Purse, RetryBudget, Timestamp};
    /// let mut purse = Purse::new(RetryBudget::RATIO);
    /// purse.request(Timestamp::START);
    /// assert_eq!(purse.idle_at().to_string(), "10s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        match &self.store {
            Store::Bucket { level, .. } if *level >= self.full() => Timestamp::START,
            Store::Bucket { touched, .. } => *touched + REST,
            Store::Window { net, .. } => net.idle_at(),
        }
    }

    /// Thousandths that may be withdrawn: of units, of retries, or of tokens above the half.
    fn available(&self, now: Timestamp) -> u64 {
        match (&self.store, &self.config) {
            (Store::Bucket { level, .. }, RetryBudget::Tokens { .. }) => {
                level.saturating_sub(self.full() / 2)
            }
            (Store::Bucket { level, .. }, _) => *level,
            (Store::Window { net, .. }, config) => {
                let reserve = self.portion.of_number(config.reserve());
                let there = i128::from(net.sum(now).0) + reserve.cast_signed();
                u64::try_from(there.max(0)).unwrap_or(u64::MAX)
            }
        }
    }

    /// Size of this instance's bucket, in thousandths.
    fn full(&self) -> u64 {
        full(&self.config, self.portion)
    }

    fn give(&mut self, amount: u64, now: Timestamp) {
        let most = self.full();
        if let Store::Bucket { level, touched } = &mut self.store {
            *level = most.min(*level + amount);
            *touched = now.max(*touched);
        }
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        if let Store::Bucket { level, touched } = &mut self.store {
            *level = level.saturating_sub(amount);
            *touched = now.max(*touched);
        }
    }
}

/// Size of a fraction's bucket, in thousandths.
fn full(config: &RetryBudget, portion: Portion) -> u64 {
    portion.of_number(config.full().into()) as u64
}

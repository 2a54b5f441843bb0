//! The state of a retry budget.

use core::ops::AddAssign;
use core::time::Duration;

use super::{ONE, RetryBudget, RetryCost, RetryKind};
use crate::guards::rolling_window::RollingWindow;
use crate::model::time::Timestamp;

/// A bucket that is unchanged for this long may be dropped. A new bucket is full.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// State of a [`RetryBudget`], for one host or for all.
///
/// Record each request once, when it is first sent, and each success; ask before each retry. Each
/// kind of budget uses only some of these calls. A clock that runs backwards only delays the expiry
/// of counts.
///
/// ```
/// use fetch_proto::{RetryTokens, RetryBudget, RetryKind, Timestamp};
///
/// let now = Timestamp::START;
/// let mut tokens = RetryTokens::new(RetryBudget::CAPACITY);
/// tokens.record_request(now);
/// let paid = tokens.try_retry(RetryKind::Timeout, now);
/// assert_eq!(tokens.available_retries(now), 98);
/// tokens.record_success(paid, now);
/// assert_eq!(tokens.available_retries(now), 100);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RetryTokens {
    config: RetryBudget,
    store: TokenStore,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum TokenStore {
    /// For [`RetryBudget::Capacity`] and [`RetryBudget::Tokens`].
    Bucket {
        /// Thousandths.
        level: u64,
        /// Time of the last change of `level`.
        changed_at: Timestamp,
    },
    /// For [`RetryBudget::Ratio`].
    Window {
        /// Deposits of requests less withdrawals of retries.
        balance: RollingWindow<Thousandths>,
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

impl RetryTokens {
    /// Starts with a full bucket, or with the minimum allowed before any request.
    ///
    /// ```
    /// use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// // Ten per second for ten seconds.
    /// assert_eq!(RetryTokens::new(RetryBudget::RATIO).available_retries(Timestamp::START), 100);
    /// ```
    #[must_use]
    pub fn new(config: RetryBudget) -> Self {
        let store = match config {
            RetryBudget::Ratio { ttl, .. } => TokenStore::Window {
                balance: RollingWindow::new(ttl),
            },
            RetryBudget::Capacity { .. } | RetryBudget::Tokens { .. } => TokenStore::Bucket {
                level: config.bucket_size(),
                changed_at: Timestamp::START,
            },
        };
        Self { config, store }
    }

    /// Records that a request is sent for the first time.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::RATIO);
    /// (0..5).for_each(|_| tokens.record_request(Timestamp::START));
    /// assert_eq!(tokens.available_retries(Timestamp::START), 101);
    /// ```
    pub fn record_request(&mut self, now: Timestamp) {
        if let (RetryBudget::Ratio { per_mille, .. }, TokenStore::Window { balance }) =
            (&self.config, &mut self.store)
        {
            *balance.slot_mut(now) += Thousandths(i64::from(*per_mille));
        }
    }

    /// Records that a request succeeded; `paid` is the cost of its last retry, if there was one.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, RetryKind, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::TOKENS);
    /// tokens.record_failure(Timestamp::START);
    /// (0..10).for_each(|_| tokens.record_success(None, Timestamp::START));
    /// assert_eq!(tokens.idle_at(), Timestamp::START);
    /// ```
    pub fn record_success(&mut self, paid: Option<RetryCost>, now: Timestamp) {
        match self.config {
            RetryBudget::Capacity { .. } => {
                self.deposit(u64::from(paid.map_or(1, |cost| cost.0)) * ONE, now);
            }
            RetryBudget::Ratio { .. } => {}
            RetryBudget::Tokens {
                success_per_mille, ..
            } => self.deposit(success_per_mille.into(), now),
        }
    }

    /// Records a retryable failure that is not retried for another reason, such as the limit on
    /// attempts. Only [`RetryBudget::Tokens`] counts it.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::TOKENS);
    /// assert_eq!(tokens.available_retries(Timestamp::START), 4);
    /// tokens.record_failure(Timestamp::START);
    /// assert_eq!(tokens.available_retries(Timestamp::START), 3);
    /// ```
    pub fn record_failure(&mut self, now: Timestamp) {
        if let RetryBudget::Tokens { .. } = self.config {
            self.withdraw(ONE, now);
        }
    }

    /// Takes one retry from the budget, or returns `None` if it is exhausted.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, RetryKind, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::RATIO);
    /// let mut retry = || tokens.try_retry(RetryKind::Timeout, Timestamp::START);
    /// assert_eq!((0..500).filter_map(|_| retry()).count(), 100);
    /// ```
    pub fn try_retry(&mut self, kind: RetryKind, now: Timestamp) -> Option<RetryCost> {
        let allowed = self.can_retry(kind, now);
        let cost = self.config.cost(kind);
        match (&self.config, &mut self.store) {
            (RetryBudget::Tokens { .. }, _) => self.withdraw(ONE, now),
            (_, TokenStore::Window { balance }) if allowed => {
                *balance.slot_mut(now) += Thousandths(-(ONE as i64));
            }
            (_, TokenStore::Bucket { .. }) if allowed => self.withdraw(u64::from(cost) * ONE, now),
            _ => {}
        }
        allowed.then_some(RetryCost(cost))
    }

    /// Whether [`try_retry`](Self::try_retry) would succeed. Ask first where a retry needs two
    /// budgets, such as its host's and that of all hosts.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, RetryKind, Timestamp};
    /// let tokens = RetryTokens::new(RetryBudget::Tokens { max: 2, success_per_mille: 100 });
    /// assert!(!tokens.can_retry(RetryKind::Transient, Timestamp::START));
    /// ```
    #[must_use]
    pub fn can_retry(&self, kind: RetryKind, now: Timestamp) -> bool {
        let available = self.available_millis(now);
        match self.config {
            RetryBudget::Capacity { .. } => available >= u64::from(self.config.cost(kind)) * ONE,
            RetryBudget::Ratio { .. } => available >= ONE,
            RetryBudget::Tokens { .. } => available > ONE,
        }
    }

    /// Number of retries after [`RetryKind::Transient`] that are available at `now`.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// assert_eq!(RetryTokens::new(RetryBudget::CAPACITY).available_retries(Timestamp::START), 100);
    /// ```
    #[must_use]
    pub fn available_retries(&self, now: Timestamp) -> u64 {
        let available = self.available_millis(now);
        match self.config {
            RetryBudget::Capacity { retry_cost, .. } => available
                .checked_div(u64::from(retry_cost) * ONE)
                .unwrap_or(u64::MAX),
            RetryBudget::Ratio { .. } => available / ONE,
            RetryBudget::Tokens { .. } => available.saturating_sub(1) / ONE,
        }
    }

    /// Changes the budget and keeps the counted requests and retries, or the relative fill level
    /// of the bucket (as gRPC does). A change between [`RetryBudget::Ratio`] and another kind
    /// resets the state.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::Tokens { max: 4, success_per_mille: 1000 });
    /// tokens.record_failure(Timestamp::START);
    /// tokens.set_config(RetryBudget::Tokens { max: 100, success_per_mille: 1000 });
    /// // 75 of 100 tokens.
    /// assert_eq!(tokens.available_retries(Timestamp::START), 24);
    /// ```
    pub fn set_config(&mut self, config: RetryBudget) {
        match (&mut self.store, &config) {
            (TokenStore::Window { balance }, RetryBudget::Ratio { ttl, .. }) => {
                balance.resize(*ttl);
            }
            (
                TokenStore::Bucket { level, .. },
                RetryBudget::Capacity { .. } | RetryBudget::Tokens { .. },
            ) => {
                let (old, new) = (self.config.bucket_size(), config.bucket_size());
                let share = u128::from(*level) * u128::from(new);
                *level = share.checked_div(old.into()).map_or(new, |l| l as u64);
            }
            _ => *self = Self::new(config),
        }
        self.config = config;
    }

    /// The current budget.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget};
    /// assert_eq!(RetryTokens::new(RetryBudget::TOKENS).config(), &RetryBudget::TOKENS);
    /// ```
    #[must_use]
    pub const fn config(&self) -> &RetryBudget {
        &self.config
    }

    /// When this state can be dropped, if nothing else happens: when all requests and retries are
    /// older than the `ttl`, or when the bucket is full or unchanged for five minutes.
    ///
    /// ```
    /// # use fetch_proto::{RetryTokens, RetryBudget, Timestamp};
    /// let mut tokens = RetryTokens::new(RetryBudget::RATIO);
    /// tokens.record_request(Timestamp::START);
    /// assert_eq!(tokens.idle_at().to_string(), "10s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        match &self.store {
            TokenStore::Bucket { level, .. } if *level >= self.config.bucket_size() => {
                Timestamp::START
            }
            TokenStore::Bucket { changed_at, .. } => *changed_at + FORGET_AFTER,
            TokenStore::Window { balance } => balance.idle_at(),
        }
    }

    /// Thousandths that may be withdrawn: of units, of retries, or of tokens above the half.
    fn available_millis(&self, now: Timestamp) -> u64 {
        match (&self.store, &self.config) {
            (TokenStore::Bucket { level, .. }, RetryBudget::Tokens { .. }) => {
                level.saturating_sub(self.config.bucket_size() / 2)
            }
            (TokenStore::Bucket { level, .. }, _) => *level,
            (TokenStore::Window { balance }, config) => {
                let reserve = config.reserve();
                let available = i128::from(balance.sum(now).0) + reserve.cast_signed();
                u64::try_from(available.max(0)).unwrap_or(u64::MAX)
            }
        }
    }

    fn deposit(&mut self, amount: u64, now: Timestamp) {
        let most = self.config.bucket_size();
        if let TokenStore::Bucket { level, changed_at } = &mut self.store {
            *level = most.min(*level + amount);
            *changed_at = now.max(*changed_at);
        }
    }

    fn withdraw(&mut self, amount: u64, now: Timestamp) {
        if let TokenStore::Bucket { level, changed_at } = &mut self.store {
            *level = level.saturating_sub(amount);
            *changed_at = now.max(*changed_at);
        }
    }
}

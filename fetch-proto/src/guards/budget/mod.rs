//! How many retries the requests of a host, or of all hosts, may cause together.

mod purse;
#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::model::time::nanos;

pub use purse::Purse;

/// All is counted in thousandths, so that nothing is rounded.
const ONE: u64 = 1000;

/// Bounds what retries add to the load, however many attempts each fetch may have: when most
/// requests fail, retrying each would only multiply them. A [`Purse`] keeps it.
///
/// An exhausted budget suppresses the next retry and touches nothing that is on its way.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Purse, RetryBudget, RetryKind, Timestamp};
///
/// let ttl = Duration::from_secs(10);
/// let mut purse = Purse::new(RetryBudget::Ratio { per_mille: 500, min_per_second: 0, ttl });
/// let now = Timestamp::START;
/// purse.request(now);
/// assert!(purse.try_retry(RetryKind::Transient, now).is_none());
/// purse.request(now);
/// assert!(purse.try_retry(RetryKind::Transient, now).is_some());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum RetryBudget {
    /// A bucket, full at first, from which a retry takes and to which success gives: that of the
    /// AWS SDKs' standard retry mode. A success after a retry returns what the last one cost, one
    /// without a retry gives 1; what other retries cost is gone until then.
    ///
    /// The bucket does not fill by itself, so it suits a purse for all hosts better than one for
    /// each.
    Capacity {
        /// What the bucket holds. 500 there.
        capacity: u32,
        /// What a retry after [`RetryKind::Transient`] takes. 5 there.
        retry_cost: u32,
        /// What a retry after [`RetryKind::Throttled`] takes. 5 there.
        throttle_cost: u32,
        /// What a retry after [`RetryKind::Timeout`] takes. 10 there.
        timeout_cost: u32,
    },
    /// A part of the requests, and a minimum for those that send few: that of Finagle's
    /// `RetryBudget` (finagle-core/src/main/scala/com/twitter/finagle/service/RetryBudget.scala).
    ///
    /// In any span of `ttl`, there are at most `per_mille / 1000 × requests + min_per_second × ttl`
    /// retries. It is kept in ten slots of a tenth of `ttl` (one if that is shorter than 200 ms),
    /// each of which falls out as a whole; and exactly, in thousandths of a retry: 700 per mille
    /// are seven retries for ten requests.
    Ratio {
        /// Retries per second that are allowed without any request. 10 there.
        min_per_second: u32,
        /// Retries per thousand requests; may be over 1000. 200 there.
        per_mille: u32,
        /// How long a request allows for retries. 10 s there, from 1 s to 60 s; here of any length.
        ttl: Duration,
    },
    /// Tokens, all there at first; a failure takes one, a success gives a part of one, and retries
    /// are allowed while more than half are there: gRPC's retry throttling (proposal A6).
    ///
    /// A failure takes a token whether it is retried or not: see [`Purse::failure`].
    Tokens {
        /// How many there are at most. 10 in the proposal's example.
        max: u32,
        /// What a success gives, in thousandths of a token. 100 in the proposal's example.
        success_per_mille: u32,
    },
}

impl RetryBudget {
    /// [`Capacity`](Self::Capacity) with the numbers of the AWS SDKs.
    pub const CAPACITY: Self = Self::Capacity {
        capacity: 500,
        retry_cost: 5,
        throttle_cost: 5,
        timeout_cost: 10,
    };

    /// [`Ratio`](Self::Ratio) with Finagle's numbers: a fifth of the requests and ten per second.
    pub const RATIO: Self = Self::Ratio {
        min_per_second: 10,
        per_mille: 200,
        ttl: Duration::from_secs(10),
    };

    /// [`Tokens`](Self::Tokens) with the numbers of the example in gRPC's proposal A6.
    pub const TOKENS: Self = Self::Tokens {
        max: 10,
        success_per_mille: 100,
    };

    /// A full bucket, where it is told how full one is: see
    /// [`Engine::set_budget_part`](crate::Engine::set_budget_part).
    pub const FULL: u64 = 1 << 50;

    /// What a retry takes out of a bucket of [`Capacity`](Self::Capacity).
    const fn cost(&self, kind: RetryKind) -> u32 {
        match (self, kind) {
            (Self::Capacity { retry_cost, .. }, RetryKind::Transient) => *retry_cost,
            (Self::Capacity { throttle_cost, .. }, RetryKind::Throttled) => *throttle_cost,
            (Self::Capacity { timeout_cost, .. }, RetryKind::Timeout) => *timeout_cost,
            (Self::Ratio { .. } | Self::Tokens { .. }, _) => 0,
        }
    }

    /// What a bucket holds, in thousandths.
    const fn full(&self) -> u64 {
        match self {
            Self::Capacity { capacity, .. } => *capacity as u64 * ONE,
            Self::Ratio { .. } => 0,
            Self::Tokens { max, .. } => *max as u64 * ONE,
        }
    }

    /// Thousandths of retries that are there without a request.
    fn reserve(&self) -> u128 {
        match self {
            Self::Ratio {
                min_per_second,
                ttl,
                ..
            } => u128::from(*min_per_second) * u128::from(nanos(*ttl)) / 1_000_000,
            Self::Capacity { .. } | Self::Tokens { .. } => 0,
        }
    }
}

/// [`RetryBudget::RATIO`].
impl Default for RetryBudget {
    fn default() -> Self {
        Self::RATIO
    }
}

/// Why a fetch is to be retried. A request that surely never left needs no budget.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RetryKind {
    /// The host asked for patience, as with 429.
    Throttled,
    /// It took too long.
    Timeout,
    /// Any other failure that may pass.
    Transient,
}

/// What a retry has cost: to be told with the success that follows it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RetryCost(u32);

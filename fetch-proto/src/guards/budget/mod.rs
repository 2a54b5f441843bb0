//! Retry budgets: a limit on the retries of one host, or of all hosts together.

#[cfg(test)]
mod tests;
mod tokens;

use core::time::Duration;

use crate::model::time::nanos;

pub use tokens::RetryTokens;

/// One unit. All amounts are counted in thousandths, so that nothing is rounded.
const ONE: u64 = 1000;

/// Limits the load that retries add, independent of the attempts each fetch may have: when most
/// requests fail, retrying each of them would only multiply the load. [`RetryTokens`] holds the state.
///
/// An exhausted budget suppresses the next retry; attempts in flight are not affected.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{RetryTokens, RetryBudget, RetryKind, Timestamp};
///
/// let ttl = Duration::from_secs(10);
/// let mut tokens = RetryTokens::new(RetryBudget::Ratio { per_mille: 500, min_per_second: 0, ttl });
/// let now = Timestamp::START;
/// tokens.record_request(now);
/// assert!(tokens.try_retry(RetryKind::Transient, now).is_none());
/// tokens.record_request(now);
/// assert!(tokens.try_retry(RetryKind::Transient, now).is_some());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum RetryBudget {
    /// A token bucket, full at first, as in the AWS SDKs' standard retry mode. A retry takes its
    /// cost; a success after a retry returns the cost of the last retry, and a success without a
    /// retry returns 1.
    ///
    /// The bucket does not refill over time, so it suits a budget for all hosts better than one per
    /// host.
    Capacity {
        /// Size of the bucket. AWS SDKs: 500.
        capacity: u32,
        /// Cost of a retry after [`RetryKind::Transient`]. AWS SDKs: 5.
        retry_cost: u32,
        /// Cost of a retry after [`RetryKind::Throttled`]. AWS SDKs: 5.
        throttle_cost: u32,
        /// Cost of a retry after [`RetryKind::Timeout`]. AWS SDKs: 10.
        timeout_cost: u32,
    },
    /// A fraction of the requests, plus a minimum rate for low traffic: Finagle's `RetryBudget`
    /// (finagle-core/src/main/scala/com/twitter/finagle/service/RetryBudget.scala).
    ///
    /// Any span of `ttl` has at most `per_mille / 1000 × requests + min_per_second × ttl` retries,
    /// counted exactly in thousandths: 700 per mille are seven retries for ten requests. The window
    /// has ten slots (one if `ttl` is below 200 ms); a slot expires as a whole.
    Ratio {
        /// Retries per second that are allowed without any request. Finagle: 10.
        min_per_second: u32,
        /// Retries per thousand requests; may exceed 1000. Finagle: 200.
        per_mille: u32,
        /// How long a request counts towards the allowed retries. Finagle: 10 s, from 1 s to 60 s;
        /// here any length.
        ttl: Duration,
    },
    /// A token bucket, full at first, as in gRPC's retry throttling (proposal A6): a failure takes
    /// one token, a success returns a part of one, and retries are allowed while more than half of
    /// the tokens are left.
    ///
    /// A failure takes a token whether it is retried or not: see [`RetryTokens::record_failure`].
    Tokens {
        /// Size of the bucket. 10 in the proposal's example.
        max: u32,
        /// Refill per success, in thousandths of a token. 100 in the proposal's example.
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

    /// Cost of a retry in a bucket of [`Capacity`](Self::Capacity).
    const fn cost(&self, kind: RetryKind) -> u32 {
        match (self, kind) {
            (Self::Capacity { retry_cost, .. }, RetryKind::Transient) => *retry_cost,
            (Self::Capacity { throttle_cost, .. }, RetryKind::Throttled) => *throttle_cost,
            (Self::Capacity { timeout_cost, .. }, RetryKind::Timeout) => *timeout_cost,
            (Self::Ratio { .. } | Self::Tokens { .. }, _) => 0,
        }
    }

    /// Size of the bucket, in thousandths.
    const fn bucket_size(&self) -> u64 {
        match self {
            Self::Capacity { capacity, .. } => *capacity as u64 * ONE,
            Self::Ratio { .. } => 0,
            Self::Tokens { max, .. } => *max as u64 * ONE,
        }
    }

    /// Retries allowed without any request, in thousandths.
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

/// Why a fetch is retried. The engine charges every retry except those that do not count as
/// attempts: see [`RetryDelaySource`](crate::RetryDelaySource).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RetryKind {
    /// The host is overloaded, as with status 429.
    Throttled,
    /// The attempt timed out.
    Timeout,
    /// Any other retryable failure.
    Transient,
}

/// Cost of a retry, to be passed with the success that follows it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RetryCost(u32);

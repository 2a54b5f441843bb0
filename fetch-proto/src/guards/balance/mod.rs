//! Load balancing: one target served by several endpoints.

mod balancer;
mod ewma;
mod outlier;
mod rotation;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

pub use balancer::{EndpointResult, LoadBalancer};
pub use outlier::OutlierDetection;

/// A logical target that several interchangeable endpoints serve.
///
/// ```
/// use fetch_proto::{BalanceStrategy, LoadBalancer, TargetEndpoint, BalancedTarget};
///
/// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
/// let target = BalancedTarget::new(urls.map(TargetEndpoint::new)).strategy(BalanceStrategy::RoundRobin);
/// assert!(LoadBalancer::new(target).is_ok());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct BalancedTarget {
    /// The endpoints: at least one, without duplicates.
    pub endpoints: Vec<TargetEndpoint>,
    /// When an endpoint that fails more than the others is ejected. Default `None`: never.
    #[cfg_attr(feature = "serde", serde(default))]
    pub outlier: Option<OutlierDetection>,
    /// How an endpoint is chosen. Default [`BalanceStrategy::LeastLoaded`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub strategy: BalanceStrategy,
}

/// One server of a [`BalancedTarget`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct TargetEndpoint {
    /// An http or https origin: scheme, host and port only.
    pub url: Url,
    /// Capacity relative to the other endpoints. Default 1; 0 is invalid.
    /// [`BalanceStrategy::RoundRobin`] ignores it.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub weight: u32,
}

/// How a [`LoadBalancer`] chooses an endpoint.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum BalanceStrategy {
    /// Draws two endpoints at random and takes the one with fewer attempts in flight per weight
    /// (Mitzenmacher, "The Power of Two Choices", 2001). Avoids herding; a slow server is
    /// recognised by its queue.
    #[default]
    LeastLoaded,
    /// Draws two endpoints at random and takes the one with the lower
    /// `estimate × (in flight + 1) / weight`.
    ///
    /// The round-trip estimate rises to a longer sample at once and decays towards shorter ones,
    /// and to zero while nothing is sent: the peak EWMA of Finagle and tower.
    PeakEwma {
        /// Time constant of the average: after it, an old sample weighs 1/e. Default 10 s, as in
        /// Finagle; zero counts as 1 ns.
        #[cfg_attr(feature = "serde", serde(default = "ten_seconds"))]
        decay: Duration,
        /// A failure counts as a round trip of at least this time, so that an endpoint that fails
        /// fast does not look fast. Should be at least the attempt timeout. Default 10 s.
        #[cfg_attr(feature = "serde", serde(default = "ten_seconds"))]
        penalty: Duration,
    },
    /// Plain round-robin.
    RoundRobin,
    /// Smooth weighted round-robin, as in nginx: in every cycle each endpoint is chosen `weight`
    /// times, evenly spread over the cycle.
    Weighted,
}

impl BalanceStrategy {
    /// [`BalanceStrategy::PeakEwma`] with the default decay and penalty.
    pub const PEAK_EWMA: Self = Self::PeakEwma {
        decay: ten_seconds(),
        penalty: ten_seconds(),
    };
}

const fn one() -> u32 {
    1
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl BalancedTarget {
    /// A target served by `endpoints`, balanced by load, without outlier detection.
    ///
    /// ```
    /// use fetch_proto::{BalanceStrategy, TargetEndpoint, BalancedTarget};
    /// let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(target.strategy, BalanceStrategy::LeastLoaded);
    /// ```
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = TargetEndpoint>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            outlier: None,
            strategy: BalanceStrategy::default(),
        }
    }

    /// Sets when an endpoint that fails more than the others is ejected. Default never.
    ///
    /// ```
    /// use fetch_proto::{OutlierDetection, BalancedTarget};
    /// let target = BalancedTarget::new([]).outlier(OutlierDetection::default());
    /// ```
    #[must_use]
    pub fn outlier(mut self, outlier: impl Into<Option<OutlierDetection>>) -> Self {
        self.outlier = outlier.into();
        self
    }

    /// Sets how an endpoint is chosen. Default [`BalanceStrategy::LeastLoaded`].
    ///
    /// ```
    /// use fetch_proto::{BalanceStrategy, BalancedTarget};
    /// let target = BalancedTarget::new([]).strategy(BalanceStrategy::Weighted);
    /// ```
    #[must_use]
    pub fn strategy(mut self, strategy: BalanceStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Checks that there is at least one endpoint, and that each is a distinct http(s) origin with
    /// a weight of at least 1.
    ///
    /// # Errors
    ///
    /// The first violation.
    ///
    /// ```
    /// use fetch_proto::{TargetEndpoint, BalancedTarget};
    ///
    /// let urls = ["https://a.example", "https://b.example/v2"].map(|url| url.parse().unwrap());
    /// let error = BalancedTarget::new(urls.map(TargetEndpoint::new)).validate().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "endpoint 2: an endpoint has a scheme, host and port only: remove everything else"
    /// );
    /// ```
    pub fn validate(&self) -> Result<(), TargetError> {
        if self.endpoints.is_empty() {
            return Err(TargetError::NoEndpoints);
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let same = |other: &TargetEndpoint| other.url == endpoint.url;
            if !matches!(endpoint.url.scheme(), "http" | "https") {
                return Err(TargetError::NotHttp { index });
            }
            if !is_origin(&endpoint.url) {
                return Err(TargetError::NotOrigin { index });
            }
            if endpoint.weight == 0 {
                return Err(TargetError::ZeroWeight { index });
            }
            if self.endpoints[..index].iter().any(same) {
                return Err(TargetError::Duplicate { index });
            }
        }
        Ok(())
    }
}

fn is_origin(url: &Url) -> bool {
    let bare = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    url.path() == "/" && bare && anonymous
}

impl TargetEndpoint {
    /// The endpoint at `url`, with weight 1.
    ///
    /// ```
    /// use fetch_proto::TargetEndpoint;
    /// assert_eq!(TargetEndpoint::new("https://a.example".parse().unwrap()).weight, 1);
    /// ```
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self { url, weight: one() }
    }

    /// Sets the capacity relative to the other endpoints. Default 1; [`BalancedTarget::validate`] rejects 0.
    ///
    /// ```
    /// use fetch_proto::TargetEndpoint;
    /// let large = TargetEndpoint::new("https://a.example".parse().unwrap()).weight(3);
    /// ```
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
}

/// Why a [`BalancedTarget`] is invalid. `index` counts endpoints from 0, the message from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TargetError {
    /// An endpoint repeats an earlier one.
    Duplicate {
        /// Index of the endpoint.
        index: usize,
    },
    /// The target has no endpoints.
    NoEndpoints,
    /// An endpoint's scheme is neither http nor https.
    NotHttp {
        /// Index of the endpoint.
        index: usize,
    },
    /// An endpoint's URL has a path, a query, a fragment or credentials.
    NotOrigin {
        /// Index of the endpoint.
        index: usize,
    },
    /// An endpoint's weight is 0.
    ZeroWeight {
        /// Index of the endpoint.
        index: usize,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, why) = match self {
            Self::NoEndpoints => {
                return f.write_str("a target needs at least one endpoint");
            }
            Self::Duplicate { index } => (
                index,
                "duplicate of an earlier endpoint: raise the weight of that one instead",
            ),
            Self::NotHttp { index } => (index, "the scheme must be http or https"),
            Self::NotOrigin { index } => (
                index,
                "an endpoint has a scheme, host and port only: remove everything else",
            ),
            Self::ZeroWeight { index } => (
                index,
                "the weight must be at least 1: remove the endpoint to disable it",
            ),
        };
        write!(f, "endpoint {}: {why}", index + 1)
    }
}

impl core::error::Error for TargetError {}

//! One target behind several servers: which of them an attempt goes to.

mod balancer;
mod ewma;
mod outlier;
#[cfg(test)]
mod tests;
mod turn;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

pub use balancer::{Balancer, Served};
pub use outlier::Outlier;

/// One logical target with several endpoints that serve the same.
///
/// ```
/// use fetch_proto::{Balance, Balancer, Endpoint, Target};
///
/// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
/// let target = Target::new(urls.map(Endpoint::new)).strategy(Balance::RoundRobin);
/// assert!(Balancer::new(target).is_ok());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Target {
    /// Where it is served. At least one, and none twice.
    pub endpoints: Vec<Endpoint>,
    /// Whether and when an endpoint that fails more than the others is left out. Default no.
    #[cfg_attr(feature = "serde", serde(default))]
    pub outlier: Option<Outlier>,
    /// How endpoints are chosen. Default [`Balance::LeastLoaded`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub strategy: Balance,
}

/// One server of a [`Target`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Endpoint {
    /// Its origin: scheme, host and port, http or https, and nothing else.
    pub url: Url,
    /// How much it bears compared with the others. Default 1; not 0. [`Balance::RoundRobin`]
    /// ignores it.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub weight: u32,
}

/// How a [`Balancer`] chooses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Balance {
    /// Of two drawn by chance, the one with fewer attempts in flight for its weight (Mitzenmacher,
    /// "The Power of Two Choices", 2001). It never herds, and sees a slow server by its queue.
    #[default]
    LeastLoaded,
    /// Of two drawn by chance, the one with the lower `estimate × (in flight + 1) / weight`.
    ///
    /// The estimate of the round-trip time jumps to each longer one at once, and decays to shorter
    /// ones, and to zero while nothing is sent: the peak-EWMA of Finagle and tower.
    PeakEwma {
        /// After this time, 1/e of what was known still counts. Default 10 s, as Finagle's; zero
        /// counts as 1 ns.
        #[cfg_attr(feature = "serde", serde(default = "ten_seconds"))]
        decay: Duration,
        /// A failure counts as a round trip of at least this time, so that an endpoint which fails
        /// fast is not taken for a fast one. At least the attempts' timeout. Default 10 s.
        #[cfg_attr(feature = "serde", serde(default = "ten_seconds"))]
        penalty: Duration,
    },
    /// One after the other.
    RoundRobin,
    /// One after the other, each as often as its weight says in every cycle, and spread evenly over
    /// it: the smooth weighted round-robin of nginx.
    Weighted,
}

impl Balance {
    /// [`Balance::PeakEwma`] with its defaults.
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

impl Target {
    /// The target that `endpoints` serve, balanced by load, with no outlier left out.
    ///
    /// ```
    /// use fetch_proto::{Balance, Endpoint, Target};
    /// let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(target.strategy, Balance::LeastLoaded);
    /// ```
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            outlier: None,
            strategy: Balance::default(),
        }
    }

    /// Sets whether and when an endpoint that fails more than the others is left out.
    ///
    /// ```
    /// use fetch_proto::{Outlier, Target};
    /// let target = Target::new([]).outlier(Outlier::default());
    /// ```
    #[must_use]
    pub fn outlier(mut self, outlier: impl Into<Option<Outlier>>) -> Self {
        self.outlier = outlier.into();
        self
    }

    /// Sets how endpoints are chosen.
    ///
    /// ```
    /// use fetch_proto::{Balance, Target};
    /// let target = Target::new([]).strategy(Balance::Weighted);
    /// ```
    #[must_use]
    pub fn strategy(mut self, strategy: Balance) -> Self {
        self.strategy = strategy;
        self
    }

    /// Checks that there is an endpoint to choose, and that each is an origin, once, with a weight.
    ///
    /// # Errors
    ///
    /// The first endpoint that is not so.
    ///
    /// ```
    /// use fetch_proto::{Endpoint, Target};
    ///
    /// let urls = ["https://a.example", "https://b.example/v2"].map(|url| url.parse().unwrap());
    /// let error = Target::new(urls.map(Endpoint::new)).validate().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "endpoint 2: an endpoint is scheme, host and port alone: leave out what follows them"
    /// );
    /// ```
    pub fn validate(&self) -> Result<(), TargetError> {
        if self.endpoints.is_empty() {
            return Err(TargetError::NoEndpoints);
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let same = |other: &Endpoint| other.url == endpoint.url;
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

impl Endpoint {
    /// The server at `url`, with weight 1.
    ///
    /// ```
    /// use fetch_proto::Endpoint;
    /// assert_eq!(Endpoint::new("https://a.example".parse().unwrap()).weight, 1);
    /// ```
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self { url, weight: one() }
    }

    /// Sets how much it bears compared with the others. Default 1; 0 is an error of the target.
    ///
    /// ```
    /// use fetch_proto::Endpoint;
    /// let large = Endpoint::new("https://a.example".parse().unwrap()).weight(3);
    /// ```
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
}

/// What is wrong with a [`Target`]. Endpoints are counted from 0 here, and from 1 in the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TargetError {
    /// An endpoint is the same as one before it.
    Duplicate {
        /// Which one.
        index: usize,
    },
    /// There is nothing to choose from.
    NoEndpoints,
    /// An endpoint's scheme is neither http nor https.
    NotHttp {
        /// Which one.
        index: usize,
    },
    /// An endpoint's URL has a path, a query, a fragment or credentials.
    NotOrigin {
        /// Which one.
        index: usize,
    },
    /// An endpoint's weight is 0.
    ZeroWeight {
        /// Which one.
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
                "it is there already: give the first a greater weight instead",
            ),
            Self::NotHttp { index } => (index, "the scheme must be http or https"),
            Self::NotOrigin { index } => (
                index,
                "an endpoint is scheme, host and port alone: leave out what follows them",
            ),
            Self::ZeroWeight { index } => (
                index,
                "the weight must be at least 1: leave out what is not to be used",
            ),
        };
        write!(f, "endpoint {}: {why}", index + 1)
    }
}

impl core::error::Error for TargetError {}

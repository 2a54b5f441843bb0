//! Patches of the settings that have parts.

use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use super::patch;
use crate::guards::hedge::{DEFAULT_PERCENTILE, Hedge, HedgeDelay};
use crate::guards::stall::StallGuard;
use crate::policy::{Backoff, Fallback, Jitter, OverCap, RedirectPolicy, RetryAfterPolicy};

/// A whole value as a patch that sets all its parts.
macro_rules! whole {
    ($patch:ident from $target:ident { $($part:ident,)* } nested { $($nested:ident,)* }) => {
        impl From<$target> for $patch {
            fn from(whole: $target) -> Self {
                Self {
                    $($part: Some(whole.$part),)*
                    $($nested: whole.$nested.into(),)*
                }
            }
        }
    };
}

patch! {
    /// Changes of single parts of a [`Backoff`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Backoff, BackoffPatch};
    ///
    /// let patch = BackoffPatch::default().cap(Duration::from_secs(5)).jitter(None);
    /// let expected = Backoff::DEFAULT.cap(Duration::from_secs(5)).jitter(None);
    /// assert_eq!(patch.apply(&Backoff::DEFAULT), expected);
    /// ```
    pub struct BackoffPatch for Backoff {
        values {}
        fields {
            base: Duration,
            cap: Duration,
            factor: u32,
            step: Duration,
        }
        optional {
            jitter: Jitter,
        }
        nested {}
        switched {}
        derived {}
    }
}
whole!(BackoffPatch from Backoff { base, cap, factor, jitter, step, } nested {});

patch! {
    /// Changes of single parts of a [`Fallback`].
    ///
    /// ```
    /// use fetch_proto::{Fallback, FallbackPatch};
    ///
    /// let mirror = Fallback::to("http://mirror.test/".parse()?);
    /// let patch = FallbackPatch::default().value(true);
    /// assert_eq!(patch.apply(&mirror), mirror.or_value());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub struct FallbackPatch for Fallback {
        values {}
        fields {
            url: Option<Arc<Url>>,
            value: bool,
        }
        optional {}
        nested {}
        switched {}
        derived {}
    }
}
whole!(FallbackPatch from Fallback { url, value, } nested {});

patch! {
    /// Changes of single parts of a [`RetryAfterPolicy`].
    ///
    /// ```
    /// use fetch_proto::{OverCap, RetryAfterPatch, RetryAfterPolicy};
    ///
    /// let patch = RetryAfterPatch::default().over(OverCap::Clamp);
    /// assert_eq!(patch.apply(&RetryAfterPolicy::DEFAULT).cap, RetryAfterPolicy::DEFAULT.cap);
    /// ```
    pub struct RetryAfterPatch for RetryAfterPolicy {
        values {}
        fields {
            cap: Duration,
            over: OverCap,
        }
        optional {}
        nested {}
        switched {}
        derived {}
    }
}
whole!(RetryAfterPatch from RetryAfterPolicy { cap, over, } nested {});

patch! {
    /// Changes of single parts of a [`RedirectPolicy`].
    ///
    /// ```
    /// use fetch_proto::{RedirectPatch, RedirectPolicy};
    ///
    /// let patch = RedirectPatch::default().max(3);
    /// let trusted = RedirectPolicy::default().trusted(true);
    /// assert_eq!(patch.apply(&trusted), RedirectPolicy::limit(3).trusted(true));
    /// ```
    pub struct RedirectPatch for RedirectPolicy {
        values {}
        fields {
            downgrade: bool,
            follow: bool,
            https_only: bool,
            max: u16,
            trusted: bool,
        }
        optional {}
        nested {
            keep_post: KeptPostsPatch,
        }
        switched {}
        derived {}
    }
}
whole!(RedirectPatch from RedirectPolicy { downgrade, follow, https_only, max, trusted, } nested { keep_post, });

/// For which statuses a POST stays one: the part [`keep_post`](RedirectPatch::keep_post()) of a
/// [`RedirectPatch`].
///
/// ```
/// use fetch_proto::{KeptPostsPatch, RedirectPatch, RedirectPolicy};
///
/// let patch = RedirectPatch::default().keep_post(KeptPostsPatch::default().status(301, true));
/// let kept = RedirectPolicy::default().keep_post(303);
/// assert_eq!(patch.apply(&kept), kept.keep_post(301));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct KeptPostsPatch([Option<bool>; 3]);

impl KeptPostsPatch {
    /// Sets whether a POST stays one after this status: 301, 302 or 303. Others are ignored.
    #[must_use]
    pub fn status(mut self, status: u16, keep: bool) -> Self {
        if let 301..=303 = status {
            self.0[usize::from(status - 301)] = Some(keep);
        }
        self
    }

    fn on_top_of(self, lower: Self) -> Self {
        let mut pairs = self.0.into_iter().zip(lower.0);
        Self([(); 3].map(|()| pairs.next().and_then(|(high, low)| high.or(low))))
    }

    fn apply(&self, target: &[bool; 3]) -> [bool; 3] {
        let mut pairs = self.0.iter().zip(target);
        [(); 3].map(|()| pairs.next().is_some_and(|(high, low)| high.unwrap_or(*low)))
    }
}

impl From<[bool; 3]> for KeptPostsPatch {
    fn from(whole: [bool; 3]) -> Self {
        Self(whole.map(Some))
    }
}

patch! {
    /// Changes of single parts of a [`StallGuard`].
    ///
    /// ```
    /// use fetch_proto::{StallGuard, StallPatch};
    ///
    /// let patch = StallPatch::default().min_bytes_per_second(9);
    /// assert_eq!(patch.apply(&StallGuard::SAVED).window, StallGuard::SAVED.window);
    /// ```
    pub struct StallPatch for StallGuard {
        values {}
        fields {
            grace: Duration,
            min_bytes_per_second: u64,
            window: Duration,
        }
        optional {}
        nested {}
        switched {}
        derived {}
    }
}
whole!(StallPatch from StallGuard { grace, min_bytes_per_second, window, } nested {});

/// `None` is [`StallGuard::OFF`].
impl From<Option<StallGuard>> for StallPatch {
    fn from(guard: Option<StallGuard>) -> Self {
        guard.unwrap_or(StallGuard::OFF).into()
    }
}

patch! {
    /// Changes of single parts of a [`Hedge`].
    ///
    /// ```
    /// use fetch_proto::{Hedge, HedgePatch};
    ///
    /// let patch = HedgePatch::default().max(2);
    /// assert_eq!(patch.apply(&Hedge::default()), Hedge::default().max(2));
    /// ```
    pub struct HedgePatch for Hedge {
        values {}
        fields {
            max: u8,
            on_failure: bool,
        }
        optional {}
        nested {
            delay: HedgeDelayPatch,
        }
        switched {}
        derived {}
    }
}
whole!(HedgePatch from Hedge { max, on_failure, } nested { delay, });

/// `None` is a maximum of 0.
impl From<Option<Hedge>> for HedgePatch {
    fn from(hedge: Option<Hedge>) -> Self {
        hedge.unwrap_or_else(|| Hedge::default().max(0)).into()
    }
}

/// Changes of single parts of a [`HedgeDelay`]: the part [`delay`](HedgePatch::delay()) of a
/// [`HedgePatch`].
///
/// ```
/// use fetch_proto::{Hedge, HedgeDelay, HedgeDelayPatch, HedgePatch};
///
/// let p99 = HedgeDelayPatch::Percentile { per_mille: Some(990), min: None, fallback: None };
/// let hedge = HedgePatch::default().delay(p99).apply(&Hedge::default());
/// assert!(matches!(hedge.delay, HedgeDelay::Percentile { per_mille: 990, fallback: None, .. }));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum HedgeDelayPatch {
    /// No change.
    #[default]
    Unset,
    /// A fixed delay.
    Fixed(Duration),
    /// Parts of a percentile. Over a fixed delay, the other parts have their defaults.
    Percentile {
        /// The percentile in thousandths.
        #[cfg_attr(feature = "serde", serde(default))]
        per_mille: Option<u16>,
        /// Lower bound of the delay.
        #[cfg_attr(feature = "serde", serde(default))]
        min: Option<Duration>,
        /// Delay while too few answers are known.
        #[cfg_attr(
            feature = "serde",
            serde(
                default,
                deserialize_with = "super::present",
                skip_serializing_if = "Option::is_none"
            )
        )]
        fallback: Option<Option<Duration>>,
    },
}

impl HedgeDelayPatch {
    fn on_top_of(self, lower: Self) -> Self {
        match (self, lower) {
            (Self::Unset, lower) => lower,
            (
                Self::Percentile {
                    per_mille,
                    min,
                    fallback,
                },
                Self::Percentile {
                    per_mille: lower_per_mille,
                    min: lower_min,
                    fallback: lower_fallback,
                },
            ) => Self::Percentile {
                per_mille: per_mille.or(lower_per_mille),
                min: min.or(lower_min),
                fallback: fallback.or(lower_fallback),
            },
            (percentile @ Self::Percentile { .. }, Self::Fixed(_)) => {
                percentile.on_top_of(HedgeDelay::default().into())
            }
            (higher, _) => higher,
        }
    }

    fn apply(&self, target: &HedgeDelay) -> HedgeDelay {
        let (lower_per_mille, lower_min, lower_fallback) = match *target {
            HedgeDelay::Percentile {
                per_mille,
                min,
                fallback,
            } => (per_mille, min, fallback),
            HedgeDelay::Fixed(_) => DEFAULT_PERCENTILE,
        };
        match *self {
            Self::Unset => *target,
            Self::Fixed(delay) => HedgeDelay::Fixed(delay),
            Self::Percentile {
                per_mille,
                min,
                fallback,
            } => HedgeDelay::Percentile {
                per_mille: per_mille.unwrap_or(lower_per_mille),
                min: min.unwrap_or(lower_min),
                fallback: fallback.unwrap_or(lower_fallback),
            },
        }
    }
}

impl From<HedgeDelay> for HedgeDelayPatch {
    fn from(whole: HedgeDelay) -> Self {
        match whole {
            HedgeDelay::Fixed(delay) => Self::Fixed(delay),
            HedgeDelay::Percentile {
                per_mille,
                min,
                fallback,
            } => Self::Percentile {
                per_mille: Some(per_mille),
                min: Some(min),
                fallback: Some(fallback),
            },
        }
    }
}

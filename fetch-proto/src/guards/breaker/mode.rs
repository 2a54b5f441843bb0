//! Whether a breaker works, and what it does with those who have to wait.

/// Whether a [`Breaker`](crate::Breaker) works. What a circuit knows outlasts a change of the mode.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum BreakerMode {
    /// Lets all through and counts nothing.
    Disabled,
    /// Lets nothing through until the mode is changed.
    ForcedOpen,
    /// Lets all through, counts, and never opens.
    MetricsOnly,
    /// Counts, opens and closes.
    #[default]
    Normal,
}

/// What becomes of a fetch whose host's circuit is open. It is no failure of the fetch, and no
/// reason for a retry: nothing was sent.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnOpen {
    /// It waits in the queue until the circuit lets it through, as far as its limits on time allow.
    #[default]
    Defer,
    /// It ends at once.
    FailFast,
}

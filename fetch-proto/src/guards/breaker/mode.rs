//! Operating mode of a breaker, and the handling of fetches while it is open.

/// Operating mode of a [`Breaker`](crate::Breaker). A circuit keeps its state when the mode changes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BreakerMode {
    /// Admits all calls and counts nothing.
    Disabled,
    /// Rejects all calls until the mode is changed.
    ForcedOpen,
    /// Admits and counts all calls; never opens.
    MetricsOnly,
    /// Counts calls, opens and closes. The default.
    #[default]
    Normal,
}

/// How a fetch is handled while its host's circuit is open. Being held back is not a failed attempt
/// and uses up no retry, because nothing was sent.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnOpen {
    /// It waits in the queue until the circuit admits it, within its time limits. The default.
    #[default]
    Defer,
    /// It ends at once.
    FailFast,
}

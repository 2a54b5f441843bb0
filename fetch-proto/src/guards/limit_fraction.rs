//! The fraction of a shared limit that belongs to one engine.

use crate::guards::rate::Rate;

/// A fraction `parts / of` of a limit; the default is the whole limit.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct LimitFraction(Option<(u32, u32)>);

impl LimitFraction {
    pub(crate) fn new(parts: u32, of: u32) -> Self {
        Self(Some((parts.min(of), of)))
    }

    /// Whether the fraction is zero.
    pub(crate) fn is_zero(self) -> bool {
        matches!(self.0, Some((0, _)))
    }

    /// This fraction of `rate`. A fraction of zero returns the whole rate, which then only serves to
    /// count debts.
    pub(crate) fn of_rate(self, rate: Rate) -> Rate {
        match self.0 {
            None | Some((0, _)) => rate,
            Some((parts, of)) => rate.fraction(parts, of),
        }
    }

    /// This fraction of a number below 2^96, rounded down.
    pub(crate) fn of_number(self, number: u128) -> u128 {
        match self.0 {
            None => number,
            Some((parts, of)) => number * u128::from(parts) / u128::from(of.max(1)),
        }
    }
}

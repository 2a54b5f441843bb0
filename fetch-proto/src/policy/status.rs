//! A set of status codes.

use core::fmt;

/// A set of HTTP status codes from 100 to 599, such as the retryable ones.
///
/// ```
/// use fetch_proto::StatusSet;
///
/// let set = StatusSet::RETRYABLE.with(522).without(500);
/// assert!(set.contains(503) && set.contains(522) && !set.contains(500));
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "alloc::vec::Vec<u16>", into = "alloc::vec::Vec<u16>")
)]
pub struct StatusSet([u64; 8]);

impl StatusSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 8]);

    /// 408, 425, 429, 500, 502, 503 and 504: statuses after which a later request may succeed.
    pub const RETRYABLE: Self = Self::EMPTY
        .with(408)
        .with(425)
        .with(429)
        .with(500)
        .with(502)
        .with(503)
        .with(504);

    /// The set with `status` added. A status outside 100 to 599 is ignored.
    ///
    /// ```
    /// # use fetch_proto::StatusSet;
    /// assert!(StatusSet::EMPTY.with(418).contains(418));
    /// ```
    #[must_use]
    pub const fn with(mut self, status: u16) -> Self {
        if let Some((word, bit)) = bit_position(status) {
            self.0[word] |= 1 << bit;
        }
        self
    }

    /// The set with `status` removed.
    ///
    /// ```
    /// # use fetch_proto::StatusSet;
    /// assert!(!StatusSet::RETRYABLE.without(500).contains(500));
    /// ```
    #[must_use]
    pub const fn without(mut self, status: u16) -> Self {
        if let Some((word, bit)) = bit_position(status) {
            self.0[word] &= !(1 << bit);
        }
        self
    }

    /// Whether `status` is in the set.
    ///
    /// ```
    /// # use fetch_proto::StatusSet;
    /// assert!(StatusSet::RETRYABLE.contains(503) && !StatusSet::RETRYABLE.contains(404));
    /// ```
    #[must_use]
    pub const fn contains(&self, status: u16) -> bool {
        match bit_position(status) {
            Some((word, bit)) => self.0[word] & (1 << bit) != 0,
            None => false,
        }
    }

    /// The codes in the set, in order.
    ///
    /// ```
    /// # use fetch_proto::StatusSet;
    /// assert_eq!(StatusSet::EMPTY.with(503).with(429).iter().collect::<Vec<_>>(), [429, 503]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (100..600).filter(|status| self.contains(*status))
    }
}

const fn bit_position(status: u16) -> Option<(usize, u32)> {
    if status < 100 || status > 599 {
        return None;
    }
    let offset = status - 100;
    Some((offset as usize / 64, offset as u32 % 64))
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<u16> for StatusSet {
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        statuses.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<alloc::vec::Vec<u16>> for StatusSet {
    fn from(statuses: alloc::vec::Vec<u16>) -> Self {
        statuses.into_iter().collect()
    }
}

impl From<StatusSet> for alloc::vec::Vec<u16> {
    fn from(set: StatusSet) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_out_of_range_are_ignored() {
        for status in [0, 99, 600, u16::MAX] {
            assert!(!StatusSet::EMPTY.with(status).contains(status));
        }
        for status in [100, 163, 164, 599] {
            assert!(StatusSet::EMPTY.with(status).contains(status));
        }
    }
}

//! Sets of line numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A set of numbers, as ranges: small if most numbers have neighbours. In JSON it is `[[first, last], …]`.
///
/// ```
/// use fetch_scale::SeqRanges;
///
/// let mut done = SeqRanges::default();
/// for number in [1, 2, 5, 4] {
///     assert!(done.insert(number));
/// }
/// assert!(!done.insert(4) && done.contains(5) && !done.contains(3));
/// assert_eq!(serde_json::to_string(&done)?, "[[1,2],[4,5]]");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct SeqRanges {
    /// The last number of each range, by its first.
    ranges: BTreeMap<u64, u64>,
}

impl SeqRanges {
    /// Adds a number. Returns whether it was missing.
    ///
    /// ```
    /// assert!(fetch_scale::SeqRanges::default().insert(7));
    /// ```
    pub fn insert(&mut self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back();
        let mut first = number;
        match before.map(|(first, last)| (*first, *last)) {
            Some((_, last)) if last >= number => return false,
            Some((start, last)) if last.checked_add(1) == Some(number) => first = start,
            _ => {}
        }
        let after = number
            .checked_add(1)
            .and_then(|next| self.ranges.remove(&next));
        self.ranges.insert(first, after.unwrap_or(number));
        true
    }

    /// Whether the number is in the set.
    ///
    /// ```
    /// assert!(!fetch_scale::SeqRanges::default().contains(7));
    /// ```
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back();
        before.is_some_and(|(_, last)| *last >= number)
    }

    /// Adds all numbers of another set.
    ///
    /// ```
    /// use fetch_scale::SeqRanges;
    /// let (mut all, mut more) = (SeqRanges::default(), SeqRanges::default());
    /// more.insert(7);
    /// all.extend(&more);
    /// assert!(all.contains(7));
    /// ```
    pub fn extend(&mut self, other: &Self) {
        for (first, last) in &other.ranges {
            (*first..=*last).for_each(|number| {
                self.insert(number);
            });
        }
    }

    /// How many numbers are in the set.
    ///
    /// ```
    /// assert_eq!(fetch_scale::SeqRanges::default().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| last - first + 1)
            .sum()
    }

    /// Whether the set is empty.
    ///
    /// ```
    /// assert!(fetch_scale::SeqRanges::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl From<Vec<(u64, u64)>> for SeqRanges {
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        let ranges = ranges.into_iter();
        Self {
            ranges: ranges.filter(|(first, last)| first <= last).collect(),
        }
    }
}

impl From<SeqRanges> for Vec<(u64, u64)> {
    fn from(set: SeqRanges) -> Self {
        set.ranges.into_iter().collect()
    }
}

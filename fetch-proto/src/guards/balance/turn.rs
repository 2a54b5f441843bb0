//! Whose turn it is, and who is drawn.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Endpoint;
use crate::random::{between, mix};

/// Whose turn it is, for the strategies that take turns.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Turn {
    /// For each endpoint, what it was owed less what it got, in weights.
    credits: Vec<i64>,
    /// The first that may be next.
    next: usize,
}

impl Turn {
    pub(super) fn new(endpoints: usize) -> Self {
        Self {
            credits: vec![0; endpoints],
            next: 0,
        }
    }

    pub(super) fn next(&mut self, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        let (n, next) = (self.credits.len(), self.next);
        let picked = candidates.min_by_key(|i| (i + n - next) % n)?;
        self.next = (picked + 1) % n;
        Some(picked)
    }

    /// Each gets its weight; the richest is picked, and pays what all got.
    pub(super) fn weighted(
        &mut self,
        candidates: impl Iterator<Item = usize> + Clone,
        endpoints: &[Endpoint],
    ) -> Option<usize> {
        let mut total = 0;
        for i in candidates.clone() {
            let weight = i64::from(endpoints[i].weight);
            self.credits[i] += weight;
            total += weight;
        }
        let picked = candidates.max_by_key(|i| (self.credits[*i], Reverse(*i)))?;
        self.credits[picked] -= total;
        Some(picked)
    }
}

/// Two different ones of `candidates` by chance; twice the same if there is only one.
pub(super) fn two(
    candidates: impl Iterator<Item = usize> + Clone,
    draw: u64,
) -> Option<(usize, usize)> {
    let count = candidates.clone().count() as u64;
    let first = between(mix(draw, 0), 0, count.checked_sub(1)?);
    let second = between(mix(draw, 1), 0, count.saturating_sub(2));
    // The first is stepped over, so that all others are equally likely.
    let second = if second >= first && count > 1 {
        second + 1
    } else {
        second
    };
    let nth = |n: u64| candidates.clone().nth(n as usize);
    Some((nth(first)?, nth(second)?))
}

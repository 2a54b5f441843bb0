//! Selection in rotation, and of two random candidates.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::TargetEndpoint;
use crate::random::{between, mix};

/// State of the round-robin strategies.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct RotationState {
    /// Current weight of each endpoint (nginx's `current_weight`).
    current_weights: Vec<i64>,
    /// Index where the search for the next endpoint starts.
    next: usize,
}

impl RotationState {
    pub(super) fn new(endpoints: usize) -> Self {
        Self {
            current_weights: vec![0; endpoints],
            next: 0,
        }
    }

    pub(super) fn next(&mut self, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        let (n, next) = (self.current_weights.len(), self.next);
        let picked = candidates.min_by_key(|i| (i + n - next) % n)?;
        self.next = (picked + 1) % n;
        Some(picked)
    }

    /// Adds each candidate's weight to its current weight, picks the highest current weight, and
    /// subtracts the sum of the weights from it.
    pub(super) fn next_weighted(
        &mut self,
        candidates: impl Iterator<Item = usize> + Clone,
        endpoints: &[TargetEndpoint],
    ) -> Option<usize> {
        let mut total = 0;
        for i in candidates.clone() {
            let weight = i64::from(endpoints[i].weight);
            self.current_weights[i] += weight;
            total += weight;
        }
        let picked = candidates.max_by_key(|i| (self.current_weights[*i], Reverse(*i)))?;
        self.current_weights[picked] -= total;
        Some(picked)
    }
}

/// Draws two distinct candidates; returns a single candidate twice.
pub(super) fn draw_two(
    candidates: impl Iterator<Item = usize> + Clone,
    draw: u64,
) -> Option<(usize, usize)> {
    let count = candidates.clone().count() as u64;
    let first = between(mix(draw, 0), 0, count.checked_sub(1)?);
    let second = between(mix(draw, 1), 0, count.saturating_sub(2));
    // Skips the first, so that all others are equally likely.
    let second = if second >= first && count > 1 {
        second + 1
    } else {
        second
    };
    let nth = |n: u64| candidates.clone().nth(n as usize);
    Some((nth(first)?, nth(second)?))
}

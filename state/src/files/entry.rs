//! An entry: 14 bytes of a request's digest, and how the request ended.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::completed::CompletionKind;

/// The layout of an entry; the digest has the other 112 bits. Among ten million digests, the
/// probability of a collision is below 2^-65.
const ROUND_BITS: u32 = 14;
const KIND_BITS: u32 = 2;
const DIGEST: u128 = u128::MAX << (ROUND_BITS + KIND_BITS);

/// The size of an entry in a file, in bytes.
pub(crate) const SIZE: usize = 16;

/// The round of `--retry-failed`; the first run is in round 0. It has 14 bits, and wraps around.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct RetryRound(u16);

impl RetryRound {
    pub(crate) fn new(number: u16) -> Self {
        Self(number & ((1 << ROUND_BITS) - 1))
    }

    pub(crate) fn number(self) -> u16 {
        self.0
    }

    pub(crate) fn next(self) -> Self {
        Self::new(self.0.wrapping_add(1))
    }
}

/// 112 bits of digest, 14 of the round, 2 of the kind. Entries with equal digests are equal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateEntry(u128);

impl StateEntry {
    /// The entry of a request that has not ended.
    pub(crate) fn of(digest: [u8; SIZE]) -> Self {
        Self(u128::from_be_bytes(digest) & DIGEST)
    }

    /// The same request with its result.
    pub(crate) fn with_result(self, kind: CompletionKind, round: RetryRound) -> Self {
        let round = u128::from(round.0) << KIND_BITS;
        Self((self.0 & DIGEST) | round | kind as u128)
    }

    pub(crate) fn kind(self) -> CompletionKind {
        match self.0 & ((1 << KIND_BITS) - 1) {
            0 => CompletionKind::Failed,
            1 => CompletionKind::Invalid,
            _ => CompletionKind::Ok,
        }
    }

    pub(crate) fn round(self) -> RetryRound {
        RetryRound::new((self.0 >> KIND_BITS) as u16)
    }

    pub(crate) fn digest(self) -> u128 {
        self.0 & DIGEST
    }

    /// The first 64 bits, which are distributed evenly.
    pub(crate) fn prefix(self) -> u64 {
        (self.0 >> 64) as u64
    }

    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl PartialEq for StateEntry {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for StateEntry {}

impl Hash for StateEntry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.prefix());
    }
}

/// A digest is its own hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A set of entries, by digest.
pub(crate) type StateEntries =
    std::collections::HashSet<StateEntry, BuildHasherDefault<DigestHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_an_entry_are_encoded() {
        let entry = StateEntry(u128::MAX - 5);
        for kind in [
            CompletionKind::Failed,
            CompletionKind::Invalid,
            CompletionKind::Ok,
        ] {
            let ended = entry.with_result(kind, RetryRound::new(0x2345));
            let read = StateEntry::from_bytes(ended.to_bytes());
            assert_eq!((read.kind(), read.round().number()), (kind, 0x2345));
            assert_eq!(read, entry);
        }
        assert_eq!(RetryRound::new(u16::MAX).next(), RetryRound::default());
    }
}

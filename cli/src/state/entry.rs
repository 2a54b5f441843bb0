//! What is kept of one request: 14 bytes of its id, and how it ended.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::output::record::Id;

/// Bits of the digest. Among ten million ids the chance that any two are taken for one another is
/// below 2^-65.
const ROUND_BITS: u32 = 14;
const KIND_BITS: u32 = 2;
const DIGEST: u128 = u128::MAX << (ROUND_BITS + KIND_BITS);

/// How large an entry is in a file.
pub(crate) const SIZE: usize = 16;

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// With an outcome that is not ok.
    Failed = 0,
    /// It was a line that is no request, and never will be one.
    Invalid = 1,
    Ok = 2,
}

/// Which time of `--retry-failed` it is; the first run is in round 0. Of 14 bits: it starts over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Round(u16);

impl Round {
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

/// 112 bits of digest, 14 of the round, 2 of the kind. It is its digest alone that makes it equal to
/// another; the order is that of all bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry(u128);

impl Entry {
    /// The entry of a request that has not ended.
    pub(crate) fn of(id: &Id) -> Self {
        let key = id.key();
        let key = key.as_ref().first_chunk().expect("a digest is 32 bytes");
        let digest = u128::from_be_bytes(*key);
        Self(digest & DIGEST)
    }

    /// The same request, ended.
    pub(crate) fn ended(self, kind: Kind, round: Round) -> Self {
        let round = u128::from(round.0) << KIND_BITS;
        Self((self.0 & DIGEST) | round | kind as u128)
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 & ((1 << KIND_BITS) - 1) {
            0 => Kind::Failed,
            1 => Kind::Invalid,
            _ => Kind::Ok,
        }
    }

    pub(crate) fn round(self) -> Round {
        Round::new((self.0 >> KIND_BITS) as u16)
    }

    pub(crate) fn digest(self) -> u128 {
        self.0 & DIGEST
    }

    /// The first 64 bits, which are spread evenly.
    pub(crate) fn head(self) -> u64 {
        (self.0 >> 64) as u64
    }

    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.head());
    }
}

/// A digest needs no hashing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
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

/// Entries in memory: as many as a journal has.
pub(crate) type Entries = std::collections::HashSet<Entry, BuildHasherDefault<AsIs>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_all_its_parts() {
        let entry = Entry(u128::MAX - 5);
        for kind in [Kind::Failed, Kind::Invalid, Kind::Ok] {
            let ended = entry.ended(kind, Round::new(0x2345));
            let read = Entry::from_bytes(ended.to_bytes());
            assert_eq!((read.kind(), read.round().number()), (kind, 0x2345));
            assert_eq!(read, entry);
        }
        assert_eq!(Round::new(u16::MAX).next(), Round::default());
    }
}

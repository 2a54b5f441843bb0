//! A copy of a body for the cache.

use bytes::Bytes;

use super::BodyChunks;

/// The chunks of a body, as long as they are not too large together.
pub(super) struct BodyCopy {
    chunks: Option<BodyChunks>,
    room: u64,
}

impl BodyCopy {
    /// A copy of at most `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            chunks: Some(BodyChunks::new()),
            room: limit,
        }
    }

    /// Adds a chunk. A body that is too large is dropped at once.
    pub(super) fn add(&mut self, chunk: &Bytes) {
        match self.room.checked_sub(chunk.len() as u64) {
            Some(room) => self.room = room,
            None => self.chunks = None,
        }
        if let Some(chunks) = &mut self.chunks {
            chunks.push(chunk.clone());
        }
    }

    /// The body, which is complete; `None` if it was too large.
    pub(super) fn finish(self) -> Option<BodyChunks> {
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_large_is_not_copied() {
        for (limit, expected) in [(3, Some(2)), (2, None), (0, None)] {
            let mut copy = BodyCopy::new(limit);
            copy.add(&Bytes::from_static(b"ab"));
            copy.add(&Bytes::from_static(b"c"));
            assert_eq!(copy.finish().map(|chunks| chunks.len()), expected);
        }
    }
}

//! Frames: parts of the file that are either complete and intact or not used.
//!
//! A frame is its length (4 bytes, little-endian), the XXH3 hash of its content (8 bytes,
//! little-endian), and the content. A file that ends within a frame is cut off; a
//! frame with a wrong hash is damaged. In both cases the frames before are usable.

use std::io::{self, Read, Write};

use xxhash_rust::xxh3::xxh3_64;

/// First bytes of a trace. The first one is not ASCII, so that no program takes the file for text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89FETCH\r\n";
/// Version of the format. It follows the magic bytes: 2 bytes, little-endian.
pub(crate) const VERSION: u16 = 2;
/// Longest content of a frame, in bytes.
pub(crate) const MAX_CONTENT: usize = 16 << 20;
/// Size of a frame's length and hash, in bytes.
pub(crate) const HEAD_LEN: usize = 12;

/// Buffer of a frame, starting with space for its length and hash.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + HEAD_LEN);
        bytes.resize(HEAD_LEN, 0);
        Self { bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - HEAD_LEN
    }

    /// The buffer, to append content to.
    pub(crate) fn content(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes the frame with one call and clears it. Does nothing if it is empty.
    pub(crate) fn write(&mut self, to: &mut impl Write) -> io::Result<()> {
        if self.len() == 0 {
            return Ok(());
        }
        let length = u32::try_from(self.len())
            .ok()
            .filter(|_| self.len() <= MAX_CONTENT);
        let length = length.ok_or_else(|| {
            io::Error::other(format!(
                "an entry of {} bytes is too large for a trace",
                self.len()
            ))
        })?;
        let hash = xxh3_64(&self.bytes[HEAD_LEN..]);
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes[4..HEAD_LEN].copy_from_slice(&hash.to_le_bytes());
        to.write_all(&self.bytes)?;
        self.bytes.truncate(HEAD_LEN);
        to.flush()
    }
}

/// Result of reading a frame.
#[derive(Debug)]
pub(crate) enum FrameRead {
    /// The buffer contains the frame's content.
    Frame,
    /// The end of the file, between two frames.
    End,
    /// The file ends within a frame.
    Cut,
    /// The length or the hash is wrong.
    Damaged,
}

/// Reads a frame's content into `buffer`.
pub(crate) fn read(from: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<FrameRead> {
    let mut head = [0; HEAD_LEN];
    match read_full(from, &mut head)? {
        0 => return Ok(FrameRead::End),
        HEAD_LEN => {}
        _ => return Ok(FrameRead::Cut),
    }
    let [a, b, c, d, hash @ ..] = head;
    let (length, hash) = (
        u32::from_le_bytes([a, b, c, d]) as usize,
        u64::from_le_bytes(hash),
    );
    if length > MAX_CONTENT {
        return Ok(FrameRead::Damaged);
    }
    buffer.clear();
    // The buffer grows with the bytes read: a wrong length allocates nothing.
    let got = from.take(length as u64).read_to_end(buffer)?;
    if got < length {
        return Ok(FrameRead::Cut);
    }
    Ok(if xxh3_64(buffer) == hash {
        FrameRead::Frame
    } else {
        FrameRead::Damaged
    })
}

/// Reads until `buffer` is full or the file ends. Returns the number of bytes read.
pub(crate) fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

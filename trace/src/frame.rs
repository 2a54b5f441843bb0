//! Frames: pieces of the file that are whole or not there.
//!
//! A frame is its length (4 bytes, little-endian), the XXH3 hash of its content (8 bytes,
//! little-endian), and the content. A file that ends within a frame was cut; one whose hash does not
//! fit is damaged. Both can be used up to there.

use std::io::{self, Read, Write};

use xxhash_rust::xxh3::xxh3_64;

/// How a trace begins. The first byte is not ASCII, so that nothing takes it for text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89FETCH\r\n";
/// The version of the format, which follows: 2 bytes, little-endian.
pub(crate) const VERSION: u16 = 2;
/// The longest content.
pub(crate) const MAX_CONTENT: usize = 16 << 20;
/// Length and hash.
pub(crate) const HEAD_LEN: usize = 12;

/// A frame that is being filled, with room for its head.
#[derive(Debug)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + HEAD_LEN);
        bytes.resize(HEAD_LEN, 0);
        Self { bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - HEAD_LEN
    }

    /// The bytes to append to.
    pub(crate) fn content(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes the frame in one piece and empties it.
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

/// What comes next in the file.
#[derive(Debug)]
pub(crate) enum FrameRead {
    /// A frame, which is in the buffer now.
    Frame,
    /// The end of the file, between two frames.
    End,
    /// The file ends within a frame.
    Cut,
    /// The frame was changed after it was written.
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
    // Room is made as bytes come: a wrong length costs nothing.
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

/// Reads until `buffer` is full or the file ends. How much was read.
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

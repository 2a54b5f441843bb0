//! Bounds on what a peer may send besides content. They are far above what any use needs, and low
//! enough that a flood ends before it costs much.

/// The most informational responses (1xx) before the final one.
pub(crate) const MAX_INFORMATIONAL: usize = 256;

/// How many bytes of framing are always allowed.
const MARGIN: u64 = 256 * 1024;
/// How many bytes of framing each byte of content allows. A chunk of one byte has five.
const RATIO: u64 = 2;

/// Compares the framing of a body or a connection with its content.
#[derive(Debug, Default)]
pub(crate) struct FramingOverhead {
    content: u64,
    framing: u64,
}

impl FramingOverhead {
    pub(crate) fn add_content(&mut self, bytes: u64) {
        self.content = self.content.saturating_add(bytes);
    }

    pub(crate) fn add_framing(&mut self, bytes: u64) {
        self.framing = self.framing.saturating_add(bytes);
    }

    /// Whether there is too much framing for the content.
    pub(crate) fn is_flood(&self) -> bool {
        self.framing > MARGIN && self.framing - MARGIN > self.content.saturating_mul(RATIO)
    }
}

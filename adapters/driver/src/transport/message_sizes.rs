//! The sizes of the messages of a fetch.

/// How many bytes the messages of a fetch had over the wire, apart from the response's body. Numbers that
/// the transport does not report are 0.
///
/// ```
/// # fn show(outcome: &fetch_driver::Outcome) {
/// println!("{} bytes were sent", outcome.sizes.requests);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MessageSizes {
    /// All requests, with redirects and retries, of each its head and body. Over HTTP/2, heads count as
    /// they would over HTTP/1.1.
    pub requests: u64,
    /// The heads of all responses, with informational ones.
    pub response_heads: u64,
    /// The body of the last request.
    pub upload: u64,
}

impl MessageSizes {
    /// Adds those of the next attempt.
    pub(crate) fn add(&mut self, next: Self) {
        self.requests += next.requests;
        self.response_heads += next.response_heads;
        self.upload = next.upload;
    }
}

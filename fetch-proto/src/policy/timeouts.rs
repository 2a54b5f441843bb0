//! How long each part of a fetch may take.

use core::time::Duration;

/// The limits on a fetch's time. `None` means no limit of that kind.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::Timeouts;
///
/// let timeouts = Timeouts { attempt: Some(Duration::from_secs(10)), ..Timeouts::default() };
/// assert_eq!(timeouts.total, Some(Duration::from_secs(300)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Timeouts {
    /// From the attempt's dispatch to the end of its body; to its head, where the body is streamed.
    /// Waiting in the queue does not count. Default 6 s.
    pub attempt: Option<Duration>,
    /// From the attempt's dispatch to a connection, name resolution and TLS included. Default 10 s,
    /// so that with the other defaults the attempt's own limit comes first.
    pub connect: Option<Duration>,
    /// From the connection to the response's head. Default none: the attempt's limit bounds it.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the body, while the consumer is reading. Default 30 s.
    pub idle_read: Option<Duration>,
    /// In the queue, before the first attempt, each retry and each redirect. Default 1 h.
    pub queue: Option<Duration>,
    /// From the first attempt's dispatch to the end, retries and waits included. Default 5 min.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// No limit of any kind.
    pub const NONE: Self = Self {
        attempt: None,
        connect: None,
        first_byte: None,
        idle_read: None,
        queue: None,
        total: None,
    };

    /// The defaults.
    pub const DEFAULT: Self = Self {
        attempt: Some(Duration::from_secs(6)),
        connect: Some(Duration::from_secs(10)),
        first_byte: None,
        idle_read: Some(Duration::from_secs(30)),
        queue: Some(Duration::from_secs(3600)),
        total: Some(Duration::from_secs(300)),
    };
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

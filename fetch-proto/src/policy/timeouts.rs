//! Time limits of a fetch and its attempts.

use core::time::Duration;

/// The time limits of a fetch. `None` means no limit of that kind.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::Timeouts;
///
/// let timeouts = Timeouts::default().attempt(Duration::from_secs(10)).queue(None);
/// assert_eq!(timeouts.total, Some(Duration::from_secs(300)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Timeouts {
    /// From the start of the attempt to the end of the body. Waiting in the queue does not count.
    /// Default 6 s, which ends at the head if the body is saved or streamed: see
    /// [`attempt_covers_body`](field@Self::attempt_covers_body).
    pub attempt: Option<Duration>,
    /// Whether [`attempt`](field@Self::attempt) also covers a body that is saved or streamed. Default
    /// no: there [`idle_read`](field@Self::idle_read) and [`Policy::stall`](crate::Policy::stall) guard
    /// the body. Setting a limit, also by [`TimeoutsPatch`](crate::TimeoutsPatch), sets it.
    pub attempt_covers_body: bool,
    /// From the start of the attempt to a connection, including name resolution and TLS. Default 10
    /// s: with the other defaults, the attempt limit applies first.
    pub connect: Option<Duration>,
    /// From the connection to the response head. Default none: the attempt limit bounds it.
    pub first_byte: Option<Duration>,
    /// For one call of a function of the caller that decides about an attempt
    /// ([`Input::HookStarted`](crate::Input::HookStarted)). While it runs, [`connect`](Self::connect) and
    /// [`first_byte`](Self::first_byte) do not.
    pub hook: Option<Duration>,
    /// Between two chunks of the body, while the consumer reads. Default 30 s.
    pub idle_read: Option<Duration>,
    /// In the queue, separately before the first attempt, each retry and each redirect. Default 1
    /// h.
    pub queue: Option<Duration>,
    /// From the start of the first attempt to the end, including retries and waits. Default 5 min,
    /// without the time in which a body that is saved or streamed is received: see
    /// [`total_covers_body`](field@Self::total_covers_body).
    pub total: Option<Duration>,
    /// Whether [`total`](field@Self::total) also covers the time in which a body is saved or streamed.
    /// Default no: it pauses from the head to the end of the body, and starts again after an attempt
    /// that brought a part of the body. Setting a limit, also by
    /// [`TimeoutsPatch`](crate::TimeoutsPatch), sets it.
    pub total_covers_body: bool,
}

impl Timeouts {
    /// No limit of any kind.
    pub const NONE: Self = Self {
        attempt: None,
        attempt_covers_body: false,
        connect: None,
        first_byte: None,
        hook: None,
        idle_read: None,
        queue: None,
        total: None,
        total_covers_body: false,
    };

    /// The defaults.
    pub const DEFAULT: Self = Self {
        attempt: Some(Duration::from_secs(6)),
        attempt_covers_body: false,
        connect: Some(Duration::from_secs(10)),
        first_byte: None,
        hook: Some(Duration::from_secs(5)),
        idle_read: Some(Duration::from_secs(30)),
        queue: Some(Duration::from_secs(3600)),
        total: Some(Duration::from_secs(300)),
        total_covers_body: false,
    };

    /// Sets the limit [`attempt`](field@Self::attempt), for the whole attempt.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().attempt(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn attempt(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.attempt = limit.into();
        self.attempt_covers_body = true;
        self
    }

    /// Sets the limit [`connect`](field@Self::connect).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().connect(Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn connect(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect = limit.into();
        self
    }

    /// Sets the limit [`first_byte`](field@Self::first_byte).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().first_byte(Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn first_byte(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.first_byte = limit.into();
        self
    }

    /// Sets the limit for one call of a hook. Default 5 s.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Timeouts;
    /// let timeouts = Timeouts::default().hook(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn hook(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.hook = limit.into();
        self
    }

    /// Sets the limit [`idle_read`](field@Self::idle_read).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().idle_read(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn idle_read(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_read = limit.into();
        self
    }

    /// Sets the limit [`queue`](field@Self::queue).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().queue(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn queue(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.queue = limit.into();
        self
    }

    /// Sets the limit [`total`](field@Self::total), for the whole fetch.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let timeouts = fetch_proto::Timeouts::default().total(Duration::from_secs(90));
    /// ```
    #[must_use]
    pub fn total(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.total = limit.into();
        self.total_covers_body = true;
        self
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

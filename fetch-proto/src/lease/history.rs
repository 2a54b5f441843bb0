//! What earlier deliveries of a partition show about URLs that crash their worker.

use alloc::collections::BTreeMap;

/// After this many deliveries without progress, URLs are started one by one.
pub const MAX_FRUITLESS: u32 = 5;

/// A URL during which a worker has ended this many times, while nothing else was in flight, is set aside.
pub const MAX_CRASHES: u32 = 2;

/// The deliveries of a partition, in order, as its log shows them. URLs are numbered by their lines.
///
/// A worker that ends unexpectedly leaves a delivery without a result. After [`MAX_FRUITLESS`] such deliveries in
/// a row, the next worker starts URLs one by one and logs each before it starts. If it ends, too, then the URL
/// that it logged last is suspected. The next worker starts suspected URLs before all others, alone. A URL
/// that is suspected [`MAX_CRASHES`] times is set aside, and the partition goes on without it.
///
/// ```
/// use fetch_proto::lease::DeliveryHistory;
///
/// let mut history = DeliveryHistory::default();
/// for _ in 0..5 {
///     history.claimed(); // and the worker crashed
/// }
/// assert!(!history.is_one_by_one());
/// history.claimed();
/// assert!(history.is_one_by_one());
/// history.started_alone(3);
/// history.claimed();
/// assert!(history.suspects().eq([3]));
/// history.started_alone(3);
/// history.claimed();
/// assert!(history.set_aside().eq([3]));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeliveryHistory {
    /// The URL that was started alone and has no result yet.
    alone: Option<u64>,
    /// How often a worker ended during a URL that was started alone.
    crashes: BTreeMap<u64, u32>,
    /// The deliveries since the last progress.
    fruitless: u32,
}

impl DeliveryHistory {
    /// A worker has leased the partition.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// let mut history = DeliveryHistory::default();
    /// history.claimed();
    /// assert!(!history.is_one_by_one());
    /// ```
    pub fn claimed(&mut self) {
        if let Some(url) = self.alone.take() {
            *self.crashes.entry(url).or_default() += 1;
        }
        self.fruitless = self.fruitless.saturating_add(1);
    }

    /// The worker is about to start this URL, with nothing else in flight.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// let mut history = DeliveryHistory::default();
    /// history.started_alone(3);
    /// history.claimed();
    /// assert!(history.suspects().eq([3]));
    /// ```
    pub fn started_alone(&mut self, url: u64) {
        self.alone = Some(url);
    }

    /// The records of some URLs are durable.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// let mut history = DeliveryHistory::default();
    /// history.started_alone(3);
    /// history.committed(|url| url == 3);
    /// history.claimed();
    /// assert_eq!(history.suspects().count(), 0);
    /// ```
    pub fn committed(&mut self, is_done: impl Fn(u64) -> bool) {
        self.alone.take_if(|url| is_done(*url));
        self.crashes.retain(|url, _| !is_done(*url));
        self.fruitless = 0;
    }

    /// The worker has given the partition back in an orderly way.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// let mut history = DeliveryHistory::default();
    /// history.claimed();
    /// history.released();
    /// assert_eq!(history, DeliveryHistory::default());
    /// ```
    pub fn released(&mut self) {
        self.alone = None;
        self.fruitless = self.fruitless.saturating_sub(1);
    }

    /// Whether the worker of this delivery starts URLs one by one.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// assert!(!DeliveryHistory::default().is_one_by_one());
    /// ```
    #[must_use]
    pub const fn is_one_by_one(&self) -> bool {
        self.fruitless > MAX_FRUITLESS
    }

    /// The URLs that are started before all others, each alone.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// assert_eq!(DeliveryHistory::default().suspects().count(), 0);
    /// ```
    pub fn suspects(&self) -> impl Iterator<Item = u64> {
        let suspects = self.crashes.iter();
        suspects.filter_map(|(url, crashes)| (*crashes < MAX_CRASHES).then_some(*url))
    }

    /// The URLs that are not fetched any more, because their workers crashed.
    ///
    /// ```
    /// use fetch_proto::lease::DeliveryHistory;
    /// assert_eq!(DeliveryHistory::default().set_aside().count(), 0);
    /// ```
    pub fn set_aside(&self) -> impl Iterator<Item = u64> {
        let crashed = self.crashes.iter();
        crashed.filter_map(|(url, crashes)| (*crashes >= MAX_CRASHES).then_some(*url))
    }
}

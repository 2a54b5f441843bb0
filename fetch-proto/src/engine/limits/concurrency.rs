//! How many attempts may be in flight over all hosts.

/// Counts the attempts in flight, and bounds them by the lowest of several limits.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct ConcurrencyLimit {
    in_flight: usize,
    /// Whether the driver has asked to start nothing for now.
    is_paused: bool,
    /// The configured concurrency.
    max: usize,
    /// This engine's share of a limit that it has in common with other engines.
    ceiling: usize,
    /// The limit while the machine is short of file descriptors or ports.
    fd_limit: Option<usize>,
}

impl ConcurrencyLimit {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            in_flight: 0,
            is_paused: false,
            max,
            ceiling: usize::MAX,
            fd_limit: None,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    pub(crate) fn set_ceiling(&mut self, ceiling: usize) {
        self.ceiling = ceiling;
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// Whether another attempt may start.
    pub(crate) fn has_capacity(&self) -> bool {
        self.in_flight < self.ceiling && self.has_capacity_without_ceiling()
    }

    /// Whether another attempt could start if the ceiling were higher.
    pub(crate) fn is_limited_by_ceiling(&self) -> bool {
        self.in_flight >= self.ceiling && self.has_capacity_without_ceiling()
    }

    fn has_capacity_without_ceiling(&self) -> bool {
        !self.is_paused && self.in_flight < self.limit_without_ceiling()
    }

    fn limit_without_ceiling(&self) -> usize {
        self.fd_limit.unwrap_or(usize::MAX).min(self.max)
    }

    /// How many attempts may be in flight now.
    pub(crate) fn limit(&self) -> usize {
        self.limit_without_ceiling().min(self.ceiling)
    }

    pub(crate) fn acquire(&mut self) {
        self.in_flight += 1;
    }

    pub(crate) fn release(&mut self) {
        self.in_flight -= 1;
    }

    /// An attempt failed because the machine is out of file descriptors or ports. The limit becomes
    /// one less than the attempts in flight, then one less with each further failure, but at least
    /// 1. Returns the new limit.
    pub(crate) fn on_fd_exhausted(&mut self) -> usize {
        let before = self.fd_limit.unwrap_or(self.in_flight);
        let limit = before.min(self.in_flight).saturating_sub(1).max(1);
        self.fd_limit = Some(limit);
        limit
    }

    /// A response was complete: the limit rises by one, up to the configured concurrency.
    pub(crate) fn on_fd_recovered(&mut self) {
        let raised = self.fd_limit.map(|limit| limit + 1);
        self.fd_limit = raised.filter(|limit| *limit < self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_in_flight(count: usize) -> ConcurrencyLimit {
        let mut limit = ConcurrencyLimit::new(10);
        (0..count).for_each(|_| limit.acquire());
        limit
    }

    #[test]
    fn the_lowest_limit_counts() {
        let mut limit = with_in_flight(9);
        assert!(limit.has_capacity());
        limit.acquire();
        assert!(!limit.has_capacity());
        limit.set_max(11);
        assert!(limit.has_capacity());
        limit.set_ceiling(10);
        assert!(!limit.has_capacity() && limit.is_limited_by_ceiling());
        limit.set_paused(true);
        assert!(!limit.is_limited_by_ceiling());
    }

    #[test]
    fn it_shrinks_while_descriptors_are_short_and_grows_with_responses() {
        let mut limit = with_in_flight(8);
        assert_eq!((limit.on_fd_exhausted(), limit.on_fd_exhausted()), (7, 6));
        (0..3).for_each(|_| limit.release());
        assert!(limit.has_capacity());
        limit.acquire();
        assert!(!limit.has_capacity());
        (0..4).for_each(|_| limit.on_fd_recovered());
        (0..4).for_each(|_| limit.acquire());
        assert!(!limit.has_capacity(), "ten is the configured limit");
    }

    #[test]
    fn one_attempt_may_always_run() {
        let mut limit = with_in_flight(1);
        assert_eq!((limit.on_fd_exhausted(), limit.on_fd_exhausted()), (1, 1));
        limit.release();
        assert!(limit.has_capacity());
    }
}

//! The leases that a worker holds.

use alloc::collections::BTreeMap;

use super::LeaseTerms;
use crate::model::time::Timestamp;

/// What a worker does next for its leases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeaseAction {
    /// Request an extension of all leases, then call [`LeaseTable::extended`] or
    /// [`LeaseTable::extension_failed`].
    Extend,
    /// Abort all attempts of this partition, now. The lease is no longer in the table.
    Abort(u32, LeaseEnd),
    /// Nothing until this time, or until another method is called.
    Wait(Option<Timestamp>),
}

/// Why a lease ended before its partition was complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeaseEnd {
    /// The queue has given the partition to another worker.
    Lost,
    /// The queue has not confirmed the lease in time.
    Unconfirmed,
}

#[derive(Clone, Copy, Debug)]
struct HeldLease {
    /// The start of the last request to the queue that succeeded.
    confirmed: Timestamp,
    is_lost: bool,
}

/// The leases that a worker holds, by partition, and when each may be used. It reads no clock: the worker passes
/// the time of its own monotonic clock in.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::Timestamp;
/// use fetch_proto::lease::{LeaseAction, LeaseEnd, LeaseTable, LeaseTerms};
///
/// let at = |seconds| Timestamp::START + Duration::from_secs(seconds);
/// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
/// leases.insert(7, at(0)); // requested at 0 s
/// assert!(leases.may_start(7, at(29)));
/// assert_eq!(leases.poll(at(10)), LeaseAction::Extend);
/// leases.extended(at(10), |partition| partition == 7);
/// assert!(leases.may_start(7, at(39)));
/// // From now on the queue does not answer.
/// assert_eq!(leases.poll(at(20)), LeaseAction::Extend);
/// leases.extension_failed(at(25));
/// assert!(!leases.may_start(7, at(40)));
/// assert_eq!(leases.poll(at(45)), LeaseAction::Abort(7, LeaseEnd::Unconfirmed));
/// ```
#[derive(Clone, Debug)]
pub struct LeaseTable {
    held: BTreeMap<u32, HeldLease>,
    /// When the next extension is due; `None` while one is requested.
    next_extension: Option<Timestamp>,
    terms: LeaseTerms,
}

impl LeaseTable {
    /// A table without leases.
    ///
    /// ```
    /// # use core::time::Duration;
    /// use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// assert!(LeaseTable::new(LeaseTerms::new(Duration::from_secs(40))).is_empty());
    /// ```
    #[must_use]
    pub const fn new(terms: LeaseTerms) -> Self {
        Self {
            held: BTreeMap::new(),
            next_extension: None,
            terms,
        }
    }

    /// Adds a lease that the queue has given in answer to a request which was sent at `requested`.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(7, Timestamp::START);
    /// assert_eq!(leases.len(), 1);
    /// ```
    pub fn insert(&mut self, partition: u32, requested: Timestamp) {
        if self.held.is_empty() {
            self.next_extension = Some(requested + self.terms.extend_every);
        }
        let lease = HeldLease {
            confirmed: requested,
            is_lost: false,
        };
        self.held.insert(partition, lease);
    }

    /// Removes a lease, before it is returned to the queue or acknowledged. Returns whether it was held.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(7, Timestamp::START);
    /// assert!(leases.remove(7) && !leases.remove(7));
    /// ```
    pub fn remove(&mut self, partition: u32) -> bool {
        self.held.remove(&partition).is_some()
    }

    /// Whether an attempt of the partition may start.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// let leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// assert!(!leases.may_start(7, Timestamp::START), "not held");
    /// ```
    #[must_use]
    pub fn may_start(&self, partition: u32, now: Timestamp) -> bool {
        let lease = self.held.get(&partition);
        lease.is_some_and(|lease| !lease.is_lost && now < lease.confirmed + self.terms.start_limit)
    }

    /// The time before which attempts of every held partition may start; `None` if no lease is held.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(7, Timestamp::START);
    /// leases.insert(8, Timestamp::START + Duration::from_secs(5));
    /// assert_eq!(leases.start_limit(), Some(Timestamp::START + Duration::from_secs(30)));
    /// ```
    #[must_use]
    pub fn start_limit(&self) -> Option<Timestamp> {
        let earliest = self.held.values().map(|lease| lease.confirmed).min()?;
        Some(earliest + self.terms.start_limit)
    }

    /// The queue has answered the request for an extension that was sent at `requested`. `is_kept` is false for
    /// partitions that are no longer this worker's.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseAction, LeaseEnd, LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(7, Timestamp::START);
    /// let later = Timestamp::START + Duration::from_secs(10);
    /// assert_eq!(leases.poll(later), LeaseAction::Extend);
    /// leases.extended(later, |_| false);
    /// assert_eq!(leases.poll(later), LeaseAction::Abort(7, LeaseEnd::Lost));
    /// ```
    pub fn extended(&mut self, requested: Timestamp, is_kept: impl Fn(u32) -> bool) {
        self.next_extension = Some(requested + self.terms.extend_every);
        for (partition, lease) in &mut self.held {
            // A lease that was given after the request is not part of it.
            if lease.confirmed > requested {
                continue;
            }
            match is_kept(*partition) {
                true => lease.confirmed = requested,
                false => lease.is_lost = true,
            }
        }
    }

    /// The request for an extension has failed, or its answer is unknown. It is repeated soon.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseAction, LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(7, Timestamp::START);
    /// let at = |seconds| Timestamp::START + Duration::from_secs(seconds);
    /// assert_eq!(leases.poll(at(10)), LeaseAction::Extend);
    /// leases.extension_failed(at(11));
    /// assert_eq!(leases.poll(at(12)), LeaseAction::Wait(Some(at(13) + Duration::from_millis(500))));
    /// ```
    pub fn extension_failed(&mut self, now: Timestamp) {
        self.next_extension = Some(now + self.terms.extend_every / 4);
    }

    /// The next action. It is called until it returns [`LeaseAction::Wait`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseAction, LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// assert_eq!(leases.poll(Timestamp::START), LeaseAction::Wait(None));
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> LeaseAction {
        let abort_limit = self.terms.abort_limit;
        let ended = self.held.iter().find_map(|(partition, lease)| {
            let end = match lease.is_lost {
                true => LeaseEnd::Lost,
                false if now >= lease.confirmed + abort_limit => LeaseEnd::Unconfirmed,
                false => return None,
            };
            Some((*partition, end))
        });
        if let Some((partition, end)) = ended {
            self.held.remove(&partition);
            return LeaseAction::Abort(partition, end);
        }
        let Some(earliest) = self.held.values().map(|lease| lease.confirmed).min() else {
            return LeaseAction::Wait(None);
        };
        match self.next_extension {
            Some(due) if due <= now => {
                self.next_extension = None;
                LeaseAction::Extend
            }
            due => {
                let abort = earliest + abort_limit;
                LeaseAction::Wait(Some(due.map_or(abort, |due| due.min(abort))))
            }
        }
    }

    /// The partitions that are held, in order.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::Timestamp;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// let mut leases = LeaseTable::new(LeaseTerms::new(Duration::from_secs(40)));
    /// leases.insert(8, Timestamp::START);
    /// leases.insert(7, Timestamp::START);
    /// assert!(leases.partitions().eq([7, 8]));
    /// ```
    pub fn partitions(&self) -> impl Iterator<Item = u32> {
        self.held.keys().copied()
    }

    /// The number of leases that are held.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// assert_eq!(LeaseTable::new(LeaseTerms::new(Duration::from_secs(40))).len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no lease is held.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::lease::{LeaseTable, LeaseTerms};
    /// assert!(LeaseTable::new(LeaseTerms::new(Duration::from_secs(40))).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

//! What kind of failure an attempt's end is, which decides what may follow.

use alloc::vec::Vec;

use super::StatusSet;
use crate::model::failure::{FailureCause, FailureKind, TimeLimit};

/// What an attempt's end means for a retry.
///
/// Every kind but [`Forbidden`](Self::Forbidden) is worth one; the kinds differ in what a retry costs
/// ([`RetryBudget`](crate::RetryBudget)), in how long it waits, and in whom they speak against.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RetryClass {
    /// The same again would end the same: a 404, a certificate that is not accepted.
    Forbidden,
    /// The request never reached the server, so any method may be repeated.
    NotSent,
    /// The server is at fault: 500, 502, 504.
    Server,
    /// The server has too much to do: 429, 503. Its wait is never drawn near zero.
    Throttled,
    /// It broke on the way, or took too long.
    Transient,
}

/// The table that classifies attempts: built in, and changed for single statuses and failures.
///
/// ```
/// use fetch_proto::{RetryClass, RetryClasses, FailureKind};
///
/// let classes = RetryClasses::default().status(522, RetryClass::NotSent).failure(FailureKind::Tls, RetryClass::Transient);
/// assert_eq!(classes.of_status(522), Some(RetryClass::NotSent));
/// assert_eq!(classes.of_status(503), None); // as built in
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RetryClasses {
    /// Sorted by status.
    statuses: Vec<(u16, RetryClass)>,
    /// Sorted.
    failures: Vec<(FailureKind, RetryClass)>,
}

impl RetryClasses {
    /// Sets what a response with this status is. One that is not [`RetryClass::Forbidden`] is retried.
    ///
    /// ```
    /// use fetch_proto::{RetryClass, RetryClasses};
    /// let patient = RetryClasses::default().status(404, RetryClass::Transient);
    /// ```
    #[must_use]
    pub fn status(mut self, status: u16, class: RetryClass) -> Self {
        set(&mut self.statuses, status, class);
        self
    }

    /// Sets what this failure is.
    ///
    /// ```
    /// use fetch_proto::{RetryClass, RetryClasses, FailureKind};
    /// let final_dns = RetryClasses::default().failure(FailureKind::Resolve, RetryClass::Forbidden);
    /// ```
    #[must_use]
    pub fn failure(mut self, failure: FailureKind, class: RetryClass) -> Self {
        set(&mut self.failures, failure, class);
        self
    }

    /// What was set for this status.
    ///
    /// ```
    /// assert_eq!(fetch_proto::RetryClasses::default().of_status(500), None);
    /// ```
    #[must_use]
    pub fn of_status(&self, status: u16) -> Option<RetryClass> {
        get(&self.statuses, &status)
    }

    /// What was set for this failure.
    ///
    /// ```
    /// use fetch_proto::{RetryClasses, FailureKind};
    /// assert_eq!(RetryClasses::default().of_failure(FailureKind::Io), None);
    /// ```
    #[must_use]
    pub fn of_failure(&self, failure: FailureKind) -> Option<RetryClass> {
        get(&self.failures, &failure)
    }

    /// What `cause` is, `retried` being the statuses that are retried where nothing else was set.
    pub(crate) fn of(&self, cause: FailureCause, retried: &StatusSet) -> RetryClass {
        match cause {
            FailureCause::Failure(failure) => self
                .of_failure(failure)
                .unwrap_or_else(|| built_in(failure)),
            FailureCause::Status(status) => self.of_status(status).unwrap_or_else(|| {
                if retried.contains(status) {
                    RetryClass::of_retried_status(status)
                } else {
                    RetryClass::Forbidden
                }
            }),
            FailureCause::Timeout(TimeLimit::Connect) => RetryClass::NotSent,
            FailureCause::Timeout(_) => RetryClass::Transient,
        }
    }
}

impl RetryClass {
    /// What a status is that is worth a retry, by its meaning in RFC 9110 and RFC 6585.
    const fn of_retried_status(status: u16) -> Self {
        match status {
            429 | 503 => Self::Throttled,
            500.. => Self::Server,
            _ => Self::Transient,
        }
    }
}

fn built_in(failure: FailureKind) -> RetryClass {
    match (failure.is_transient(), failure.is_unsent()) {
        (false, _) => RetryClass::Forbidden,
        (true, true) => RetryClass::NotSent,
        (true, false) => RetryClass::Transient,
    }
}

fn set<K: Ord>(table: &mut Vec<(K, RetryClass)>, key: K, class: RetryClass) {
    match table.binary_search_by(|(known, _)| known.cmp(&key)) {
        Ok(place) => table[place].1 = class,
        Err(place) => table.insert(place, (key, class)),
    }
}

fn get<K: Ord>(table: &[(K, RetryClass)], key: &K) -> Option<RetryClass> {
    let place = table.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
    Some(table[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_that_of_the_docs() {
        let of = |cause| RetryClasses::default().of(cause, &StatusSet::RETRYABLE);
        let table = [
            (FailureCause::Status(200), RetryClass::Forbidden),
            (FailureCause::Status(404), RetryClass::Forbidden),
            (FailureCause::Status(408), RetryClass::Transient),
            (FailureCause::Status(425), RetryClass::Transient),
            (FailureCause::Status(429), RetryClass::Throttled),
            (FailureCause::Status(500), RetryClass::Server),
            (FailureCause::Status(501), RetryClass::Forbidden),
            (FailureCause::Status(502), RetryClass::Server),
            (FailureCause::Status(503), RetryClass::Throttled),
            (
                FailureCause::Failure(FailureKind::Connect),
                RetryClass::NotSent,
            ),
            (
                FailureCause::Failure(FailureKind::Io),
                RetryClass::Transient,
            ),
            (
                FailureCause::Failure(FailureKind::Tls),
                RetryClass::Forbidden,
            ),
            (
                FailureCause::Timeout(TimeLimit::Connect),
                RetryClass::NotSent,
            ),
            (
                FailureCause::Timeout(TimeLimit::Attempt),
                RetryClass::Transient,
            ),
        ];
        for (cause, class) in table {
            assert_eq!(of(cause), class, "{cause}");
        }
    }

    #[test]
    fn the_last_word_about_a_status_counts() {
        let classes = RetryClasses::default()
            .status(404, RetryClass::Transient)
            .status(503, RetryClass::Forbidden)
            .status(404, RetryClass::Server);
        let of = |status| classes.of(FailureCause::Status(status), &StatusSet::RETRYABLE);
        assert_eq!(
            (of(404), of(503)),
            (RetryClass::Server, RetryClass::Forbidden)
        );
    }
}

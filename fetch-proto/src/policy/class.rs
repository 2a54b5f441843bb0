//! What kind of failure an attempt's end is, which decides what may follow.

use alloc::vec::Vec;

use super::StatusSet;
use crate::model::failure::{Cause, Failure, Limit};

/// What an attempt's end means for a retry.
///
/// Every kind but [`Forbidden`](Self::Forbidden) is worth one; the kinds differ in what a retry costs
/// ([`RetryBudget`](crate::RetryBudget)), in how long it waits, and in whom they speak against.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Class {
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
/// use fetch_proto::{Class, Classes, Failure};
///
/// let classes = Classes::default().status(522, Class::NotSent).failure(Failure::Tls, Class::Transient);
/// assert_eq!(classes.of_status(522), Some(Class::NotSent));
/// assert_eq!(classes.of_status(503), None); // as built in
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Classes {
    /// Sorted by status.
    statuses: Vec<(u16, Class)>,
    /// Sorted.
    failures: Vec<(Failure, Class)>,
}

impl Classes {
    /// Sets what a response with this status is. One that is not [`Class::Forbidden`] is retried.
    ///
    /// ```
    /// use fetch_proto::{Class, Classes};
    /// let patient = Classes::default().status(404, Class::Transient);
    /// ```
    #[must_use]
    pub fn status(mut self, status: u16, class: Class) -> Self {
        set(&mut self.statuses, status, class);
        self
    }

    /// Sets what this failure is.
    ///
    /// ```
    /// use fetch_proto::{Class, Classes, Failure};
    /// let final_dns = Classes::default().failure(Failure::Resolve, Class::Forbidden);
    /// ```
    #[must_use]
    pub fn failure(mut self, failure: Failure, class: Class) -> Self {
        set(&mut self.failures, failure, class);
        self
    }

    /// What was set for this status.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Classes::default().of_status(500), None);
    /// ```
    #[must_use]
    pub fn of_status(&self, status: u16) -> Option<Class> {
        get(&self.statuses, &status)
    }

    /// What was set for this failure.
    ///
    /// ```
    /// use fetch_proto::{Classes, Failure};
    /// assert_eq!(Classes::default().of_failure(Failure::Io), None);
    /// ```
    #[must_use]
    pub fn of_failure(&self, failure: Failure) -> Option<Class> {
        get(&self.failures, &failure)
    }

    /// What `cause` is, `retried` being the statuses that are retried where nothing else was set.
    pub(crate) fn of(&self, cause: Cause, retried: &StatusSet) -> Class {
        match cause {
            Cause::Failure(failure) => self
                .of_failure(failure)
                .unwrap_or_else(|| built_in(failure)),
            Cause::Status(status) => self.of_status(status).unwrap_or_else(|| {
                if retried.contains(status) {
                    Class::of_retried_status(status)
                } else {
                    Class::Forbidden
                }
            }),
            Cause::Timeout(Limit::Connect) => Class::NotSent,
            Cause::Timeout(_) => Class::Transient,
        }
    }
}

impl Class {
    /// What a status is that is worth a retry, by its meaning in RFC 9110 and RFC 6585.
    const fn of_retried_status(status: u16) -> Self {
        match status {
            429 | 503 => Self::Throttled,
            500.. => Self::Server,
            _ => Self::Transient,
        }
    }
}

fn built_in(failure: Failure) -> Class {
    match (failure.is_transient(), failure.is_unsent()) {
        (false, _) => Class::Forbidden,
        (true, true) => Class::NotSent,
        (true, false) => Class::Transient,
    }
}

fn set<K: Ord>(table: &mut Vec<(K, Class)>, key: K, class: Class) {
    match table.binary_search_by(|(known, _)| known.cmp(&key)) {
        Ok(place) => table[place].1 = class,
        Err(place) => table.insert(place, (key, class)),
    }
}

fn get<K: Ord>(table: &[(K, Class)], key: &K) -> Option<Class> {
    let place = table.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
    Some(table[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_that_of_the_docs() {
        let of = |cause| Classes::default().of(cause, &StatusSet::RETRYABLE);
        let table = [
            (Cause::Status(200), Class::Forbidden),
            (Cause::Status(404), Class::Forbidden),
            (Cause::Status(408), Class::Transient),
            (Cause::Status(425), Class::Transient),
            (Cause::Status(429), Class::Throttled),
            (Cause::Status(500), Class::Server),
            (Cause::Status(501), Class::Forbidden),
            (Cause::Status(502), Class::Server),
            (Cause::Status(503), Class::Throttled),
            (Cause::Failure(Failure::Connect), Class::NotSent),
            (Cause::Failure(Failure::Io), Class::Transient),
            (Cause::Failure(Failure::Tls), Class::Forbidden),
            (Cause::Timeout(Limit::Connect), Class::NotSent),
            (Cause::Timeout(Limit::Attempt), Class::Transient),
        ];
        for (cause, class) in table {
            assert_eq!(of(cause), class, "{cause}");
        }
    }

    #[test]
    fn the_last_word_about_a_status_counts() {
        let classes = Classes::default()
            .status(404, Class::Transient)
            .status(503, Class::Forbidden)
            .status(404, Class::Server);
        let of = |status| classes.of(Cause::Status(status), &StatusSet::RETRYABLE);
        assert_eq!((of(404), of(503)), (Class::Server, Class::Forbidden));
    }
}

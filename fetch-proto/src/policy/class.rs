//! Classification of failures, which decides whether and how an attempt is retried.

use alloc::vec::Vec;

use super::StatusSet;
use crate::model::failure::{FailureCause, FailureKind, TimeLimit};
use crate::model::verdict::RetryClass;

/// Overrides of the built-in classification, for single statuses and failures.
///
/// ```
/// use fetch_proto::{RetryClass, RetryClasses, FailureKind};
///
/// let classes = RetryClasses::default().status(522, RetryClass::NotSent).failure(FailureKind::Tls, RetryClass::Transient);
/// assert_eq!(classes.status_class(522), Some(RetryClass::NotSent));
/// assert_eq!(classes.status_class(503), None); // built in
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
    /// Sets the class of a response with this status. Any class but [`RetryClass::Forbidden`] is
    /// retried.
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

    /// Sets the class of this failure.
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

    /// The class set for this status.
    ///
    /// ```
    /// assert_eq!(fetch_proto::RetryClasses::default().status_class(500), None);
    /// ```
    #[must_use]
    pub fn status_class(&self, status: u16) -> Option<RetryClass> {
        get(&self.statuses, &status)
    }

    /// The class set for this failure.
    ///
    /// ```
    /// use fetch_proto::{RetryClasses, FailureKind};
    /// assert_eq!(RetryClasses::default().failure_class(FailureKind::Io), None);
    /// ```
    #[must_use]
    pub fn failure_class(&self, failure: FailureKind) -> Option<RetryClass> {
        get(&self.failures, &failure)
    }

    /// These overrides, and for statuses and failures that they do not set, those of `lower`.
    pub(super) fn on_top_of(self, lower: Self) -> Self {
        let statuses = self.statuses.into_iter();
        let merged = statuses.fold(lower, |all, (status, class)| all.status(status, class));
        let failures = self.failures.into_iter();
        failures.fold(merged, |all, (failure, class)| all.failure(failure, class))
    }

    /// As [`on_top_of`](Self::on_top_of): overrides are their own patch.
    pub(super) fn apply(&self, target: &Self) -> Self {
        self.clone().on_top_of(target.clone())
    }

    /// The class of `cause`. `retried` are the statuses that are retried unless a class is set.
    pub(crate) fn classify(&self, cause: FailureCause, retried: &StatusSet) -> RetryClass {
        match cause {
            FailureCause::Failure(failure) => self
                .failure_class(failure)
                .unwrap_or_else(|| built_in_class(failure)),
            FailureCause::Rejected(class) => class,
            FailureCause::Status(status) => self.status_class(status).unwrap_or_else(|| {
                if retried.contains(status) {
                    RetryClass::for_retried_status(status)
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
    /// The class of a retried status, by its meaning in RFC 9110 and RFC 6585.
    const fn for_retried_status(status: u16) -> Self {
        match status {
            429 | 503 => Self::Throttled,
            500.. => Self::Server,
            _ => Self::Transient,
        }
    }
}

fn built_in_class(failure: FailureKind) -> RetryClass {
    match (failure.is_transient(), failure.is_unsent()) {
        (false, _) => RetryClass::Forbidden,
        (true, true) => RetryClass::NotSent,
        (true, false) => RetryClass::Transient,
    }
}

fn set<K: Ord>(table: &mut Vec<(K, RetryClass)>, key: K, class: RetryClass) {
    match table.binary_search_by(|(known, _)| known.cmp(&key)) {
        Ok(index) => table[index].1 = class,
        Err(index) => table.insert(index, (key, class)),
    }
}

fn get<K: Ord>(table: &[(K, RetryClass)], key: &K) -> Option<RetryClass> {
    let index = table.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
    Some(table[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_classes_match_the_documentation() {
        let of = |cause| RetryClasses::default().classify(cause, &StatusSet::RETRYABLE);
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
                FailureCause::Failure(FailureKind::Resolve),
                RetryClass::NotSent,
            ),
            (
                FailureCause::Failure(FailureKind::Tls),
                RetryClass::Forbidden,
            ),
            (
                FailureCause::Failure(FailureKind::UnknownHost),
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
    fn the_last_class_set_for_a_status_applies() {
        let classes = RetryClasses::default()
            .status(404, RetryClass::Transient)
            .status(503, RetryClass::Forbidden)
            .status(404, RetryClass::Server);
        let of = |status| classes.classify(FailureCause::Status(status), &StatusSet::RETRYABLE);
        assert_eq!(
            (of(404), of(503)),
            (RetryClass::Server, RetryClass::Forbidden)
        );
    }
}

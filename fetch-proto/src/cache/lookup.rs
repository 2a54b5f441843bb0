//! What is done with a request, given the responses that are stored for its URL.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::cache::control::RequestDirectives;
use crate::cache::fields::has;
use crate::cache::message::CacheRequest;
use crate::cache::rules::{CacheMode, CacheRules};
use crate::cache::status::ForwardReason;
use crate::cache::stored::StoredHead;
use crate::cache::time::WallTime;
use crate::model::method::Method;

/// What is done with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheUse {
    /// The stored response at this index is the answer.
    Serve {
        /// Its index in the list.
        index: usize,
        /// Its age.
        age: Duration,
        /// For how long it is still fresh. Negative, as seconds, if it is stale.
        ttl: i64,
        /// Whether it is validated in the background.
        revalidate: bool,
    },
    /// The request is sent with conditions. After a 304, the stored response is the answer.
    Validate {
        /// Its index in the list.
        index: usize,
        /// The value of `If-None-Match`.
        if_none_match: Option<Box<str>>,
        /// The value of `If-Modified-Since`.
        if_modified_since: Option<Box<str>>,
        /// Why it is not served.
        reason: ForwardReason,
    },
    /// The request is sent as it is.
    Forward(ForwardReason),
    /// The request is not sent, because the caller wants a stored response and there is none: the answer is
    /// 504.
    Unavailable(ForwardReason),
}

/// The fields that make a request conditional, or about a part.
const CONDITIONS: [&str; 6] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// Whether a request with these fields may be answered by a stored response at all. Those with conditions
/// of the caller are, if [`answers_condition`](super::answers_condition) can evaluate them.
pub(super) fn has_own_conditions(request: CacheRequest<'_>) -> bool {
    CONDITIONS.iter().any(|name| has(request.fields, name))
}

/// Whether the store is asked about this request.
///
/// ```
/// use fetch_proto::Method;
/// use fetch_proto::cache::{CacheMode, CacheRequest, needs_lookup};
///
/// let fields: [(&str, &str); 0] = [];
/// let request = CacheRequest { fields: &fields, method: &Method::Get, mode: CacheMode::Default };
/// assert!(needs_lookup(request).is_ok());
/// assert!(needs_lookup(CacheRequest { mode: CacheMode::NoStore, ..request }).is_err());
/// ```
///
/// # Errors
///
/// Why it is not.
pub fn needs_lookup(request: CacheRequest<'_>) -> Result<(), ForwardReason> {
    if !matches!(request.method, Method::Get | Method::Head) {
        return Err(ForwardReason::Method);
    }
    let is_off = matches!(request.mode, CacheMode::NoStore | CacheMode::Reload);
    let unsupported = ["if-match", "if-range", "if-unmodified-since", "range"];
    if is_off || unsupported.iter().any(|name| has(request.fields, name)) {
        return Err(ForwardReason::Bypass);
    }
    if RequestDirectives::read(request.fields).no_store {
        return Err(ForwardReason::Request);
    }
    Ok(())
}

/// Decides how a request is answered, given the stored responses to its URL (RFC 9111, section 4), for
/// which [`needs_lookup`] is `Ok`.
///
/// ```
/// use fetch_proto::Method;
/// use fetch_proto::cache::{
///     CacheMode, CacheRequest, CacheRules, CacheUse, ForwardReason, WallTime, judge_use,
/// };
///
/// let fields: [(&str, &str); 0] = [];
/// let request = CacheRequest { fields: &fields, method: &Method::Get, mode: CacheMode::Default };
/// let none = judge_use(request, &[], WallTime::default(), &CacheRules::default());
/// assert_eq!(none, CacheUse::Forward(ForwardReason::UriMiss));
/// ```
#[must_use]
pub fn judge_use(
    request: CacheRequest<'_>,
    stored: &[&StoredHead],
    now: WallTime,
    rules: &CacheRules,
) -> CacheUse {
    let asked = RequestDirectives::read(request.fields);
    let forward = |reason| match asked.only_if_cached || request.mode == CacheMode::OnlyIfCached {
        true => CacheUse::Unavailable(reason),
        false => CacheUse::Forward(reason),
    };
    let mut matching: Vec<(usize, &StoredHead)> = Vec::new();
    for (index, head) in stored.iter().enumerate() {
        if head.vary.matches(request.fields) {
            matching.push((index, head));
        }
    }
    let best = matching.into_iter().reduce(|best, other| {
        let is_fresh = |head: &StoredHead| head.age(now) < head.lifetime;
        let (a, b) = (is_fresh(best.1), is_fresh(other.1));
        match b && !a || a == b && other.1.is_newer_than(best.1) {
            true => other,
            false => best,
        }
    });
    let Some((index, head)) = best else {
        return forward(match stored.is_empty() {
            true => ForwardReason::UriMiss,
            false => ForwardReason::VaryMiss,
        });
    };
    let age = head.age(now);
    let serve = |revalidate| CacheUse::Serve {
        index,
        age,
        ttl: seconds(head.lifetime) - seconds(age),
        revalidate,
    };
    let reason = match usable(request.mode, asked, head, age, rules) {
        Usable::Yes => return serve(false),
        Usable::WhileRevalidated => return serve(true),
        Usable::No(reason) => reason,
    };
    if asked.only_if_cached || request.mode == CacheMode::OnlyIfCached {
        return CacheUse::Unavailable(reason);
    }
    if has_own_conditions(request) || *request.method != Method::Get || !head.has_validator() {
        return CacheUse::Forward(reason);
    }
    CacheUse::Validate {
        index,
        if_none_match: head.etag.clone(),
        if_modified_since: head.last_modified.clone(),
        reason,
    }
}

enum Usable {
    Yes,
    WhileRevalidated,
    No(ForwardReason),
}

/// Whether a stored response may be used without asking the server first.
fn usable(
    mode: CacheMode,
    asked: RequestDirectives,
    head: &StoredHead,
    age: Duration,
    rules: &CacheRules,
) -> Usable {
    match mode {
        CacheMode::ForceCache | CacheMode::OnlyIfCached => return Usable::Yes,
        CacheMode::NoCache => return Usable::No(ForwardReason::Request),
        _ => {}
    }
    let directives = &head.directives;
    let is_fresh = age < head.lifetime;
    if asked.no_cache {
        return Usable::No(ForwardReason::Request);
    }
    if directives.no_cache {
        return Usable::No(ForwardReason::Stale);
    }
    // A reload asks for `max-age=0`, which `immutable` makes needless (RFC 8246).
    let is_reload = asked.max_age == Some(0) && directives.immutable && is_fresh;
    let accepted = |seconds: u32| Duration::from_secs(seconds.into());
    let too_old = asked.max_age.is_some_and(|most| age > accepted(most)) && !is_reload;
    // Age has a fraction of a second: `max-age=0` is always too old.
    let too_old = too_old || asked.max_age == Some(0) && !is_reload;
    let left = head.lifetime.saturating_sub(age);
    if too_old || asked.min_fresh.is_some_and(|least| left < accepted(least)) {
        return Usable::No(match is_fresh {
            true => ForwardReason::Request,
            false => ForwardReason::Stale,
        });
    }
    if is_fresh {
        return Usable::Yes;
    }
    if head.must_validate(rules) {
        return Usable::No(ForwardReason::Stale);
    }
    let staleness = age.saturating_sub(head.lifetime);
    if asked
        .max_stale
        .is_some_and(|most| staleness <= accepted(most))
    {
        return Usable::Yes;
    }
    match staleness < head.background_limit(rules) {
        true => Usable::WhileRevalidated,
        false => Usable::No(ForwardReason::Stale),
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Whether a stored response may be used because the server failed (RFC 5861, section 4): it gave no
/// answer (`None`), or one of 500, 502, 503 and 504.
///
/// ```
/// # use fetch_proto::cache::{CacheRequest, CacheRules, StoredHead, WallTime, may_replace_error};
/// # fn example(request: CacheRequest<'_>, head: &StoredHead, now: WallTime, rules: &CacheRules) {
/// assert!(!may_replace_error(request, head, Some(404), now, rules));
/// # }
/// ```
#[must_use]
pub fn may_replace_error(
    request: CacheRequest<'_>,
    head: &StoredHead,
    status: Option<u16>,
    now: WallTime,
    rules: &CacheRules,
) -> bool {
    if !status.is_none_or(|status| matches!(status, 500 | 502..=504)) {
        return false;
    }
    let asked = RequestDirectives::read(request.fields);
    let is_explicit = asked.no_cache || asked.max_age.is_some() || asked.min_fresh.is_some();
    let wants_new = matches!(request.mode, CacheMode::NoCache | CacheMode::Reload);
    if is_explicit || wants_new || head.must_validate(rules) || !head.vary.matches(request.fields) {
        return false;
    }
    let own = asked.stale_if_error;
    let limit = own.map_or_else(
        || head.error_limit(rules),
        |seconds| Duration::from_secs(seconds.into()),
    );
    head.age(now).saturating_sub(head.lifetime) < limit
}

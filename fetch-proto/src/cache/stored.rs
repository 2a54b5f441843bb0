//! What the cache knows of a stored response, and whether a response is stored.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::cache::control::{RequestDirectives, ResponseDirectives};
use crate::cache::fields::{CacheFields, delta_seconds, has, members, single};
use crate::cache::message::{CacheRequest, CacheResponse};
use crate::cache::not_stored::NotStored;
use crate::cache::rules::{CacheMode, CacheRules};
use crate::cache::targeted::read_response;
use crate::cache::time::WallTime;
use crate::cache::vary::VaryKey;
use crate::model::method::Method;

/// What the cache knows of a stored response. It decides by this alone: fields and body are the driver's.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct StoredHead {
    pub(super) directives: ResponseDirectives,
    pub(super) etag: Option<Box<str>>,
    /// The age when it was received.
    pub(super) initial_age: Duration,
    /// `Last-Modified` as received.
    pub(super) last_modified: Option<Box<str>>,
    pub(super) lifetime: Duration,
    pub(super) received: WallTime,
    pub(super) status: u16,
    pub(super) vary: VaryKey,
}

/// Statuses that are stored without explicit freshness information (RFC 9110, section 15.1), except
/// 206, and 300 and 308 with the rest of the redirects.
const HEURISTIC: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Whether the meaning of a status is known, for `must-understand`.
fn is_understood(status: u16) -> bool {
    HEURISTIC.contains(&status) || matches!(status, 302 | 303 | 307 | 400 | 403 | 500 | 502..=504)
}

/// Decides whether a response to a request is stored (RFC 9111, section 3), and with which head.
///
/// The driver then stores the response without the fields that [`is_stored_field`](super::is_stored_field) and
/// [`StoredHead::omits`] exclude, once the body is complete.
///
/// # Errors
///
/// Why it is not stored.
///
/// ```
/// use fetch_proto::Method;
/// use fetch_proto::cache::{
///     CacheMode, CacheRequest, CacheResponse, CacheRules, NotStored, WallTime, judge_store,
/// };
///
/// let now = WallTime::default();
/// let nothing: [(&str, &str); 0] = [];
/// let request = CacheRequest { fields: &nothing, method: &Method::Get, mode: CacheMode::Default };
/// let judge = |value| {
///     let fields = [("cache-control", value)];
///     let response = CacheResponse { fields: &fields, requested: now, received: now, status: 200 };
///     judge_store(request, response, &CacheRules::default())
/// };
/// assert!(judge("max-age=60").is_ok());
/// assert_eq!(judge("no-store"), Err(NotStored::NoStore));
/// ```
pub fn judge_store(
    request: CacheRequest<'_>,
    response: CacheResponse<'_>,
    rules: &CacheRules,
) -> Result<StoredHead, NotStored> {
    let CacheResponse { fields, status, .. } = response;
    if *request.method != Method::Get {
        return Err(NotStored::Method);
    }
    if !(200..600).contains(&status) || matches!(status, 206 | 304) {
        return Err(NotStored::Status);
    }
    let directives = read_response(fields, &rules.targeted);
    let forbids = match directives.must_understand {
        true => !is_understood(status),
        false => directives.no_store,
    };
    let asked = RequestDirectives::read(request.fields);
    if forbids || asked.no_store || request.mode == CacheMode::NoStore {
        return Err(NotStored::NoStore);
    }
    if rules.is_shared() {
        check_shared(request, &directives, fields)?;
    }
    let is_explicit = has_lifetime(&directives, fields, rules);
    let is_marked = directives.public || directives.private && !rules.is_shared();
    if !is_explicit && !is_marked && !HEURISTIC.contains(&status) {
        return Err(NotStored::Status);
    }
    let vary = VaryKey::new(request.fields, fields).ok_or(NotStored::Vary)?;
    let head = StoredHead::new(response, directives, vary, rules);
    let is_useful = head.lifetime > head.initial_age
        || head.has_validator()
        || head.lifetime > Duration::ZERO && head.stale_limit(rules) > Duration::ZERO;
    is_useful.then_some(head).ok_or(NotStored::Useless)
}

/// The conditions of a shared cache.
fn check_shared(
    request: CacheRequest<'_>,
    directives: &ResponseDirectives,
    response: &dyn CacheFields,
) -> Result<(), NotStored> {
    if directives.private {
        return Err(NotStored::Private);
    }
    let is_allowed =
        directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if has(request.fields, "authorization") && !is_allowed {
        return Err(NotStored::Authorization);
    }
    let is_omitted = |list: &[Box<str>]| list.iter().any(|name| &**name == "set-cookie");
    let omits = is_omitted(&directives.private_fields) || is_omitted(&directives.no_cache_fields);
    if has(response, "set-cookie") && !omits && !directives.public {
        return Err(NotStored::SetCookie);
    }
    Ok(())
}

/// Whether the response has explicit freshness information.
fn has_lifetime(
    directives: &ResponseDirectives,
    fields: &dyn CacheFields,
    rules: &CacheRules,
) -> bool {
    directives.max_age.is_some()
        || directives.s_maxage.is_some() && rules.is_shared()
        || has(fields, "expires") && !directives.is_targeted
}

impl StoredHead {
    fn new(
        response: CacheResponse<'_>,
        directives: ResponseDirectives,
        vary: VaryKey,
        rules: &CacheRules,
    ) -> Self {
        let CacheResponse {
            fields,
            requested,
            received,
            status,
        } = response;
        let date = |name| WallTime::parse(&single(fields, name)?, received);
        let sent = date("date").unwrap_or(received);
        let delay = received.since(requested);
        let initial_age = received.seconds_since(sent).max(age(fields) + delay);
        let last_modified = single(fields, "last-modified");
        let modified = last_modified.as_deref();
        let modified = modified.and_then(|text| WallTime::parse(text, received));
        let seconds = |number: u32| Duration::from_secs(number.into());
        let explicit = match (directives.s_maxage, directives.max_age) {
            (Some(s_maxage), _) if rules.is_shared() => Some(seconds(s_maxage)),
            (_, Some(max_age)) => Some(seconds(max_age)),
            _ if has(fields, "expires") && !directives.is_targeted => {
                let expires = date("expires").unwrap_or_default();
                Some(expires.seconds_since(sent))
            }
            _ => None,
        };
        let lifetime = explicit.unwrap_or_else(|| {
            let is_allowed = HEURISTIC.contains(&status) || directives.public;
            let percent = u32::from(rules.heuristic_percent) * u32::from(is_allowed);
            let unchanged = modified.map_or(Duration::ZERO, |modified| sent.since(modified));
            (unchanged * percent / 100).min(rules.heuristic_most)
        });
        let lifetime = match lifetime.is_zero() {
            true => lifetime,
            false => lifetime
                .max(rules.min_ttl)
                .min(rules.max_ttl.unwrap_or(Duration::MAX)),
        };
        Self {
            directives,
            etag: etag(fields),
            initial_age,
            last_modified: last_modified.filter(|_| modified.is_some()).map(Into::into),
            lifetime,
            received,
            status,
            vary,
        }
    }

    /// The status of the stored response.
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// assert_ne!(head.status(), 206);
    /// # }
    /// ```
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The age at this time (RFC 9111, section 4.2.3). It is the largest possible one if the response was
    /// received after `now`, because then the clock was set back since.
    ///
    /// ```
    /// # use fetch_proto::cache::{StoredHead, WallTime};
    /// # fn example(head: &StoredHead, now: WallTime) {
    /// println!("Age: {}", head.age(now).as_secs());
    /// # }
    /// ```
    #[must_use]
    pub fn age(&self, now: WallTime) -> Duration {
        const OLDEST: Duration = Duration::from_secs(1 << 31);
        if now < self.received {
            return OLDEST;
        }
        self.initial_age
            .saturating_add(now.since(self.received))
            .min(OLDEST)
    }

    /// For how long the response is fresh, from its creation at the origin (RFC 9111, section 4.2.1).
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// println!("fresh for {:?}", head.lifetime());
    /// # }
    /// ```
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Whether it answers requests at this time without a question to the server, unless they demand one.
    ///
    /// ```
    /// # use fetch_proto::cache::{StoredHead, WallTime};
    /// # fn example(head: &StoredHead, now: WallTime) {
    /// let state = if head.is_fresh(now) { "fresh" } else { "stale" };
    /// # }
    /// ```
    #[must_use]
    pub fn is_fresh(&self, now: WallTime) -> bool {
        self.age(now) < self.lifetime && !self.directives.no_cache
    }

    /// Whether a server can say that the response is still valid.
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// let is_fetched_again = !head.has_validator();
    /// # }
    /// ```
    #[must_use]
    pub fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Whether the response must not be used without a successful validation once it is stale.
    pub(super) fn must_validate(&self, rules: &CacheRules) -> bool {
        let directives = &self.directives;
        directives.must_revalidate
            || directives.no_cache
            || rules.is_shared() && (directives.proxy_revalidate || directives.s_maxage.is_some())
    }

    /// How long after its end of life the response may replace an error.
    pub(super) fn error_limit(&self, rules: &CacheRules) -> Duration {
        limit(self.directives.stale_if_error, rules.stale_if_error)
    }

    /// How long after its end of life the response may be used while it is validated.
    pub(super) fn background_limit(&self, rules: &CacheRules) -> Duration {
        limit(
            self.directives.stale_while_revalidate,
            rules.stale_while_revalidate,
        )
    }

    /// How long after its end of life the response is of any use without a validator.
    fn stale_limit(&self, rules: &CacheRules) -> Duration {
        match self.must_validate(rules) {
            true => Duration::ZERO,
            false => self.error_limit(rules).max(self.background_limit(rules)),
        }
    }

    /// For how long after `now` it is worth to be stored, in a store that forgets: without a validator until it
    /// can no longer be used, with one for `keep` more.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::cache::{CacheRules, StoredHead, WallTime};
    /// # fn example(head: &StoredHead, rules: &CacheRules, now: WallTime) {
    /// let seconds = head.keep_for(rules, Duration::from_secs(7 * 86_400), now).as_secs();
    /// # }
    /// ```
    #[must_use]
    pub fn keep_for(&self, rules: &CacheRules, keep: Duration, now: WallTime) -> Duration {
        let extra = match self.has_validator() {
            true => keep.max(self.stale_limit(rules)),
            false => self.stale_limit(rules),
        };
        self.lifetime
            .saturating_add(extra)
            .saturating_sub(self.age(now))
    }

    /// Whether the response is stored without this field, because a directive names it. The name is in lower
    /// case.
    ///
    /// ```
    /// # use fetch_proto::cache::{CacheRules, StoredHead};
    /// # fn example(head: &StoredHead, rules: &CacheRules) {
    /// let is_stored = !head.omits("set-cookie", rules);
    /// # }
    /// ```
    #[must_use]
    pub fn omits(&self, name: &str, rules: &CacheRules) -> bool {
        let lists = |list: &[Box<str>]| list.iter().any(|listed| &**listed == name);
        lists(&self.directives.no_cache_fields)
            || rules.is_shared() && lists(&self.directives.private_fields)
    }

    /// When it was received, or last confirmed.
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// println!("received {:?} after 1970", head.received().since_1970());
    /// # }
    /// ```
    #[must_use]
    pub const fn received(&self) -> WallTime {
        self.received
    }

    /// Whether it answers a request with these fields, as its `Vary` says.
    ///
    /// ```
    /// # use fetch_proto::cache::StoredHead;
    /// # fn example(head: &StoredHead) {
    /// let is_for_germans = head.answers(&[("accept-language", "de")]);
    /// # }
    /// ```
    #[must_use]
    pub fn answers(&self, request: &dyn CacheFields) -> bool {
        self.vary.matches(request)
    }

    /// The fields of the request on which it depends, each with its value, normalized, if it had one.
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// for (name, value) in head.vary() {
    ///     println!("{name}: {}", value.unwrap_or("none"));
    /// }
    /// # }
    /// ```
    pub fn vary(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.vary.fields()
    }

    /// Whether both answer the same requests, so that one replaces the other.
    ///
    /// ```
    /// # fn example(head: &fetch_proto::cache::StoredHead) {
    /// assert!(head.is_same_variant(head));
    /// # }
    /// ```
    #[must_use]
    pub fn is_same_variant(&self, other: &Self) -> bool {
        self.vary == other.vary
    }

    /// Whether the response was received after the other.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        (self.received, self.lifetime) > (other.received, other.lifetime)
    }
}

/// A limit of the response, or else of the rules.
fn limit(own: Option<u32>, default: Option<Duration>) -> Duration {
    let own = own.map(|seconds| Duration::from_secs(seconds.into()));
    own.or(default).unwrap_or_default()
}

/// `Age`, of which the first member counts; 0 if it cannot be read (RFC 9111, section 5.1).
fn age(fields: &dyn CacheFields) -> Duration {
    let mut first: Option<u32> = None;
    let mut is_first = true;
    fields.each_value("age", &mut |value| {
        if core::mem::take(&mut is_first) {
            first = members(value).next().and_then(delta_seconds);
        }
    });
    Duration::from_secs(first.unwrap_or(0).into())
}

/// The entity tag, if the field has exactly one.
fn etag(fields: &dyn CacheFields) -> Option<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    fields.each_value("etag", &mut |value| {
        // Latin-1, as header fields are.
        let text: String = value.iter().map(|byte| char::from(*byte)).collect();
        found.push(text.trim().into());
    });
    let is_valid = found.len() == 1 && !found[0].is_empty();
    is_valid.then(|| found.swap_remove(0))
}

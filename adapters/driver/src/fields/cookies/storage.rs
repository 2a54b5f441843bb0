//! Cookies as RFC 6265bis, section 5.7, stores and retrieves them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use url::{Host, Url};

use super::set_cookie::SetCookie;

/// The most cookies of one domain, and how many of them stay when there are more.
const MAX_PER_DOMAIN: usize = 180;
const KEPT_PER_DOMAIN: usize = 150;
/// The most cookies in all, and how many of them stay when there are more.
const MAX_COOKIES: usize = 3300;
const KEPT_COOKIES: usize = 3000;
/// The longest life of a cookie that a server sets: 400 days.
const MAX_LIFE: Duration = Duration::from_secs(400 * 86_400);
/// The longest part of a `Cookie` field that comes from the storage, in bytes. Servers refuse longer ones.
const MAX_FIELD_LENGTH: usize = 8190;

/// A stored cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct StoredCookie {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) domain: String,
    /// Whether hosts below `domain` do not get it.
    pub(super) host_only: bool,
    pub(super) path: String,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    /// `None` at the end of the session.
    pub(super) expires: Option<SystemTime>,
    /// Grows with each new cookie.
    created: u64,
    /// Grows with each use.
    accessed: u64,
}

/// Cookies by site.
///
/// A site is a registrable domain such as `example.co.uk` with all hosts below it. No cookie is sent
/// to another site, so only the cookies of a request's site are searched.
#[derive(Debug, Default)]
pub(super) struct CookieStorage {
    count: usize,
    sequence: u64,
    sites: HashMap<String, Vec<StoredCookie>>,
}

impl StoredCookie {
    fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.domain, self.host_only, &self.path)
            == (&other.name, &other.domain, other.host_only, &other.path)
    }

    fn is_sent_to(&self, url: &Url, host: &str) -> bool {
        let is_its_host = match self.host_only {
            true => host == self.domain,
            false => is_within(host, &self.domain),
        };
        is_its_host && path_matches(url.path(), &self.path) && (!self.secure || is_secure(url))
    }

    /// The cookies that are removed first, when there are too many, are the smallest.
    fn rank(&self, now: SystemTime) -> (bool, bool, u64) {
        (!self.is_expired(now), self.secure, self.accessed)
    }

    fn pair(&self) -> Vec<u8> {
        let separator: &[u8] = if self.name.is_empty() { b"" } else { b"=" };
        [&self.name, separator, &self.value].concat()
    }
}

impl CookieStorage {
    /// Adds the cookies for `url` to a request's header fields, after those that the caller has set.
    pub(super) fn add_to(&mut self, headers: &mut HeaderMap, url: &Url, now: SystemTime) {
        let (Some(host), Some(site)) = (url.host_str(), site_of(url)) else {
            return;
        };
        let Some(cookies) = self.sites.get_mut(site) else {
            return;
        };
        let mut sent: Vec<_> = cookies
            .iter_mut()
            .filter(|cookie| !cookie.is_expired(now) && cookie.is_sent_to(url, host))
            .collect();
        // The longest path first, then the oldest.
        sent.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.created));
        let callers = headers.get_all(header::COOKIE).iter();
        let mut pairs: Vec<_> = callers.map(|value| value.as_bytes().to_vec()).collect();
        let mut length = 0;
        for cookie in sent {
            let pair = cookie.pair();
            length += pair.len() + 2;
            if length > MAX_FIELD_LENGTH {
                break;
            }
            self.sequence += 1;
            cookie.accessed = self.sequence;
            pairs.push(pair);
        }
        if let Ok(mut value) = HeaderValue::from_bytes(&pairs.join(&b"; "[..])) {
            value.set_sensitive(true);
            if !value.is_empty() {
                headers.insert(header::COOKIE, value);
            }
        }
    }

    /// Stores the cookies that the response from `url` sets, and removes those that it expires.
    pub(super) fn store(&mut self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        for field in headers.get_all(header::SET_COOKIE) {
            self.set(url, field.as_bytes(), now, Some(MAX_LIFE));
        }
    }

    /// All cookies that have not expired, the oldest first.
    pub(super) fn cookies(&self, now: SystemTime) -> Vec<&StoredCookie> {
        let all = self.sites.values().flatten();
        let mut cookies: Vec<_> = all.filter(|cookie| !cookie.is_expired(now)).collect();
        cookies.sort_by_key(|cookie| cookie.created);
        cookies
    }

    /// Sets a cookie from the value of a `Set-Cookie` field, for at most `max_life`. Returns whether `url` may
    /// set it: other cookies are ignored, as user agents do.
    pub(super) fn set(
        &mut self,
        url: &Url,
        field: &[u8],
        now: SystemTime,
        max_life: Option<Duration>,
    ) -> bool {
        let parsed = SetCookie::parse(field);
        parsed.is_some_and(|parsed| self.insert(url, &parsed, now, max_life))
    }

    /// As [`set`](Self::set), for a field that is parsed.
    pub(super) fn insert(
        &mut self,
        url: &Url,
        set: &SetCookie<'_>,
        now: SystemTime,
        max_life: Option<Duration>,
    ) -> bool {
        let Some(site) = site_of(url) else {
            return false;
        };
        let Some(mut cookie) = self.admit(url, set, now, max_life) else {
            return false;
        };
        let same = self.sites.get_mut(site).and_then(|cookies| {
            let at = cookies.iter().position(|other| other.is_same(&cookie))?;
            Some(cookies.remove(at))
        });
        if let Some(same) = &same {
            self.count -= 1;
            cookie.created = same.created;
        }
        if cookie.is_expired(now) {
            self.remove_site_if_empty(site);
            return true;
        }
        self.count += 1;
        let domain = cookie.domain.clone();
        let cookies = self.sites.entry(site.to_owned()).or_default();
        cookies.push(cookie);
        let siblings = cookies.iter().filter(|other| other.domain == domain);
        if siblings.count() > MAX_PER_DOMAIN {
            let surplus = MAX_PER_DOMAIN + 1 - KEPT_PER_DOMAIN;
            self.evict(surplus, now, |cookie| cookie.domain == domain);
        }
        if self.count > MAX_COOKIES {
            self.evict(self.count - KEPT_COOKIES, now, |_| true);
        }
        true
    }

    /// The cookie to store (section 5.7). `None` if `url` must not set it.
    fn admit(
        &mut self,
        url: &Url,
        set: &SetCookie<'_>,
        now: SystemTime,
        max_life: Option<Duration>,
    ) -> Option<StoredCookie> {
        let host = url.host_str()?;
        let domain = match set.domain.filter(|domain| !domain.is_empty()) {
            None => None,
            Some(domain) if domain.is_ascii() => {
                let domain = std::str::from_utf8(domain).ok()?.to_ascii_lowercase();
                let is_address = !matches!(url.host(), Some(Host::Domain(_)));
                match (is_address || is_public_suffix(&domain), domain == host) {
                    // A domain that unrelated sites share. No hosts are below an address.
                    (true, false) => return None,
                    (true, true) => None,
                    (false, _) => Some(domain),
                }
            }
            Some(_) => return None,
        };
        if domain
            .as_deref()
            .is_some_and(|domain| !is_within(host, domain))
        {
            return None;
        }
        let host_only = domain.is_none();
        let path = set.path.flatten();
        let path = path.map_or_else(
            || default_path(url.path()).to_owned(),
            |path| String::from_utf8_lossy(path).into_owned(),
        );
        let (is_secure_url, prefix) = (is_secure(url), set_prefix(set));
        let is_allowed = (is_secure_url || !set.secure)
            && match prefix {
                CookiePrefix::None => true,
                CookiePrefix::Secure => set.secure,
                CookiePrefix::Host => {
                    let is_root = set.path.flatten() == Some(b"/");
                    set.secure && set.domain.is_none() && is_root
                }
                CookiePrefix::Nameless => false,
            };
        if !is_allowed {
            return None;
        }
        self.sequence += 1;
        let cookie = StoredCookie {
            name: set.name.to_vec(),
            value: set.value.to_vec(),
            domain: domain.unwrap_or_else(|| host.to_owned()),
            host_only,
            path,
            secure: set.secure,
            http_only: set.http_only,
            expires: set.expiry(now, max_life),
            created: self.sequence,
            accessed: self.sequence,
        };
        let is_overlay = !set.secure && !is_secure_url && self.has_secure(url, &cookie);
        (!is_overlay).then_some(cookie)
    }

    /// Whether there is a secure cookie that `new` would overlay.
    fn has_secure(&self, url: &Url, new: &StoredCookie) -> bool {
        let cookies = site_of(url).and_then(|site| self.sites.get(site));
        cookies.into_iter().flatten().any(|old| {
            old.secure
                && old.name == new.name
                && (is_within(&old.domain, &new.domain) || is_within(&new.domain, &old.domain))
                && path_matches(&new.path, &old.path)
        })
    }

    /// Removes those `surplus` of the chosen cookies that matter least.
    fn evict(
        &mut self,
        surplus: usize,
        now: SystemTime,
        is_chosen: impl Fn(&StoredCookie) -> bool,
    ) {
        let chosen = self
            .sites
            .values()
            .flatten()
            .filter(|cookie| is_chosen(cookie));
        let mut ranks: Vec<_> = chosen.map(|cookie| cookie.rank(now)).collect();
        ranks.sort_unstable();
        let Some(last) = surplus.checked_sub(1).and_then(|last| ranks.get(last)) else {
            return;
        };
        self.sites.retain(|_, cookies| {
            cookies.retain(|cookie| !is_chosen(cookie) || cookie.rank(now) > *last);
            !cookies.is_empty()
        });
        self.count = self.sites.values().map(Vec::len).sum();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.sites.is_empty()
    }

    fn remove_site_if_empty(&mut self, site: &str) {
        if self.sites.get(site).is_some_and(Vec::is_empty) {
            self.sites.remove(site);
        }
    }
}

/// A promise that the beginning of a cookie's name makes.
enum CookiePrefix {
    None,
    Secure,
    Host,
    /// A cookie without name whose value begins like a prefix.
    Nameless,
}

fn set_prefix(set: &SetCookie<'_>) -> CookiePrefix {
    let begins = |text: &[u8], prefix: &[u8]| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (secure, host) = (b"__Secure-", b"__Host-");
    if set.name.is_empty() && (begins(set.value, secure) || begins(set.value, host)) {
        CookiePrefix::Nameless
    } else if begins(set.name, host) {
        CookiePrefix::Host
    } else if begins(set.name, secure) {
        CookiePrefix::Secure
    } else {
        CookiePrefix::None
    }
}

fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
}

/// The registrable domain of the URL's host, or the host if it has none.
fn site_of(url: &Url) -> Option<&str> {
    let host = url.host_str()?;
    let domain = match url.host()? {
        Host::Domain(name) => psl::domain_str(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    Some(domain.unwrap_or(host))
}

fn is_public_suffix(domain: &str) -> bool {
    matches!(Host::parse(domain), Ok(Host::Domain(_))) && psl::domain_str(domain).is_none()
}

/// Whether a host is `domain` or below it (section 5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|labels| {
        labels.is_empty()
            || labels.ends_with('.') && matches!(Host::parse(host), Ok(Host::Domain(_)))
    })
}

/// Section 5.1.4.
fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// The path up to its last slash.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(last) => &path[..last],
    }
}

//! A stored response as an answer.

use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::Method;
use fetch_proto::cache::{CacheStatus, WallTime, answers_condition, requested_range};
use http::{HeaderValue, StatusCode, Version, header};

use super::plan::CachePlan;
use crate::cache::stored::StoredResponse;
use crate::driver::exchange::ResponseParts;
use crate::transport::response_headers::ResponseHeaders;

/// A response from the cache.
pub(super) struct ServedResponse {
    pub(super) body: Bytes,
    pub(super) parts: ResponseParts,
}

impl ServedResponse {
    /// A stored response as the answer to the plan's request.
    pub(super) fn new(plan: &CachePlan, stored: &Arc<StoredResponse>, now: WallTime) -> Self {
        let is_unmodified =
            plan.with_request(|request| answers_condition(request.fields, &stored.head));
        let mut cache = plan.status;
        cache.age = Some(stored.head.age(now).as_secs());
        if is_unmodified {
            return Self {
                body: Bytes::new(),
                parts: ResponseParts {
                    cache: Some(cache),
                    coded_headers: None,
                    headers: stored.not_modified_headers(now).into(),
                    status: StatusCode::NOT_MODIFIED,
                    version: stored.version,
                },
            };
        }
        if let Some((first, last)) = requested_part(plan, stored) {
            let length = stored.body.len();
            let mut headers = stored.served_headers(now);
            let range = format!("bytes {first}-{last}/{length}");
            if let Ok(range) = HeaderValue::try_from(range) {
                headers.insert(header::CONTENT_RANGE, range);
            }
            headers.insert(header::CONTENT_LENGTH, (last + 1 - first).into());
            return Self {
                body: stored.body.slice(first..=last),
                parts: ResponseParts {
                    cache: Some(cache),
                    coded_headers: None,
                    headers: headers.into(),
                    status: StatusCode::PARTIAL_CONTENT,
                    version: stored.version,
                },
            };
        }
        Self {
            body: match plan.method {
                Method::Head => Bytes::new(),
                _ => stored.body.clone(),
            },
            parts: ResponseParts {
                cache: Some(cache),
                coded_headers: stored.coded_headers.clone(),
                headers: stored.served_headers(now).into(),
                status: stored.status(),
                version: stored.version,
            },
        }
    }

    /// The answer if only a stored response is wanted and there is none (RFC 9111, section 5.2.1.7).
    pub(super) fn unavailable(plan: &CachePlan) -> Self {
        Self {
            body: Bytes::new(),
            parts: ResponseParts {
                cache: Some(plan.status),
                coded_headers: None,
                headers: ResponseHeaders::default(),
                status: StatusCode::GATEWAY_TIMEOUT,
                version: Version::HTTP_11,
            },
        }
    }

    /// A stale response in place of an error.
    pub(super) fn in_place_of_error(
        plan: &CachePlan,
        stored: &Arc<StoredResponse>,
        now: WallTime,
        status: Option<StatusCode>,
    ) -> Self {
        let mut served = Self::new(plan, stored, now);
        if let Some(cache) = &mut served.parts.cache {
            cache.forward_status = status.map(|status| status.as_u16());
            cache.is_stale_on_error = true;
            cache.ttl = Some(ttl(stored, now));
        }
        served
    }

    /// What the cache did.
    pub(super) fn status(&self) -> CacheStatus {
        self.parts.cache.unwrap_or_default()
    }
}

/// The part of a stored body that the plan's request asks for. Of a body that was decoded, no part is
/// served, because its positions are those of the coded one.
fn requested_part(plan: &CachePlan, stored: &StoredResponse) -> Option<(usize, usize)> {
    if plan.method != Method::Get || stored.coded_headers.is_some() {
        return None;
    }
    let length = stored.body.len() as u64;
    let range = plan.with_request(|request| requested_range(request.fields, &stored.head, length));
    let position = |at: u64| usize::try_from(at).ok();
    range.and_then(|(first, last)| position(first).zip(position(last)))
}

/// For how long a stored response is still fresh, in seconds; negative if it is stale.
pub(super) fn ttl(stored: &StoredResponse, now: WallTime) -> i64 {
    let seconds =
        |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds(stored.head.lifetime()) - seconds(stored.head.age(now))
}

//! What becomes of a request's response.

use std::sync::Arc;

use fetch_proto::ResumePoint;

use super::Request;
use crate::model::redirect_check::RedirectCheck;
use crate::model::save::BodySink;

/// Whether a response's body is held in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum BodyRetention {
    /// The body is collected into the [`Response`](crate::Response).
    #[default]
    Collect,
    /// The body is read to its end, counted and discarded, so that memory stays small.
    Discard,
}

impl Request {
    /// Asks this check before each request to another URL than that of this request: to the target of a
    /// redirect or a fallback. If it does not allow one, the fetch fails with
    /// [`FailureKind::Disallowed`](crate::FailureKind::Disallowed). Default: none.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use fetch_driver::{RedirectCheck, Request};
    /// # fn example(check: Arc<dyn RedirectCheck>) -> Result<(), fetch_driver::Error> {
    /// let request = Request::get("http://a.test/")?.redirect_check(check);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn redirect_check(mut self, check: Arc<dyn RedirectCheck>) -> Self {
        self.redirect_check = Some(check);
        self
    }

    /// Sets whether the responses that redirect are returned in
    /// [`Outcome::redirect_responses`](crate::Outcome::redirect_responses), for an archive. Default no.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?.keep_redirects(true);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn keep_redirects(mut self, keep: bool) -> Self {
        self.keep_redirects = keep;
        self
    }

    /// Sets whether the response's body is held in memory. Default [`BodyRetention::Collect`].
    ///
    /// ```
    /// use fetch_driver::{BodyRetention, Request};
    /// let request = Request::get("http://a.test/large")?.body_retention(BodyRetention::Discard);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body_retention(mut self, retention: BodyRetention) -> Self {
        self.body_retention = retention;
        self
    }

    /// Sets whether the body of a response with a status of 400 or above is not waited for, as with curl's
    /// `--fail`: the fetch ends at its head, with as much of the body counted as has arrived, and none of
    /// it collected or saved. Its connection is closed if that was not all. Default no. A
    /// [streamed](crate::Fetcher::open) response is not affected.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?.skip_error_bodies(true);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn skip_error_bodies(mut self, skip: bool) -> Self {
        self.skip_error_bodies = skip;
        self
    }

    /// Saves the response's body while it is received, in bounded memory, instead of collecting it.
    /// The writer's result is returned in [`Response::saved`](crate::Response::saved). Default: the
    /// body is not saved.
    ///
    /// By default such a body may be of any size ([`Policy::max_body`](crate::Policy::max_body)), takes
    /// as long as it needs while it comes at 1 KiB/s
    /// ([`StallGuard::SAVED`](fetch_proto::StallGuard::SAVED)), and counts towards neither the attempt limit
    /// nor the total limit; limits that you set do include it.
    ///
    /// If the connection breaks inside the body of a GET, the next attempt asks for the rest of it by
    /// `Range` and `If-Range`, if the response had a strong validator and no content coding. An attempt
    /// that brought at least 64 KiB does not count as one of the policy's attempts. If the body cannot
    /// be continued, it starts over with a new writer. Such a request never [shares](crate::Settings::share) the response of
    /// another, and its response is not stored for a [fallback](crate::FallbackSettings::stale). The
    /// body of a [streamed](crate::Fetcher::open) response is not saved.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use fetch_driver::{BodySink, Request};
    /// # fn example(sink: Arc<dyn BodySink>) -> Result<(), fetch_driver::Error> {
    /// let request = Request::get("http://a.test/film.mp4")?.save(sink);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn save(mut self, sink: Arc<dyn BodySink>) -> Self {
        self.save = Some(sink);
        self
    }

    /// Continues a body of which an earlier fetch, also of another process, [saved](Self::save) the
    /// beginning. Asks for the rest by `Range` and, with a validator, `If-Range`; the sink learns from
    /// [`ResponseHead::offset`](crate::ResponseHead::offset) whether it gets the rest or all of it, and
    /// [`Outcome::resumed_from`](crate::Outcome::resumed_from) is set. Default: from the beginning.
    ///
    /// The sink learned the validator from
    /// [`ResponseHead::validator`](crate::ResponseHead::validator), and knows itself how many bytes it
    /// has stored safely. Only for a GET that is saved and has no `Range` of its own: otherwise the
    /// request is rejected.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use fetch_driver::{BodySink, Request};
    /// use fetch_driver::{ResumePoint, Validator};
    /// # fn example(sink: Arc<dyn BodySink>) -> Result<(), fetch_driver::Error> {
    /// let point = ResumePoint::new(1 << 20, Validator::parse("\"v1\""));
    /// let request = Request::get("http://a.test/film.mp4")?.save(sink).resume_from(point);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn resume_from(mut self, point: ResumePoint) -> Self {
        self.resume_from = Some(Arc::new(point));
        self
    }
}

//! Effects of redirects that a user may not expect: withheld fields and missing bodies.

use std::collections::BTreeSet;
use std::fmt;

use fetch_driver::{Outcome, RedactedUrl};
use http::{HeaderName, StatusCode};

use crate::display::plural;

/// Finds what must be reported about redirects. Each kind is a message once; the summary has the
/// numbers.
#[derive(Debug, Default)]
pub(crate) struct RedirectNotes {
    /// Fetches of which some fields were withheld.
    bare: u64,
    /// Whether every body that is fetched becomes a file.
    has_files: bool,
    /// Responses that were not saved, because they redirect and were not followed.
    unfollowed: u64,
    /// The fields that were reported.
    withheld: BTreeSet<String>,
}

impl RedirectNotes {
    pub(crate) fn new(has_files: bool) -> Self {
        Self {
            has_files,
            ..Self::default()
        }
    }

    /// Counts what happened in this fetch, and returns a message if it is the first time.
    pub(crate) fn record(&mut self, outcome: &Outcome) -> Option<String> {
        self.record_withheld(outcome)
            .or_else(|| self.record_unfollowed(outcome))
    }

    fn record_withheld(&mut self, outcome: &Outcome) -> Option<String> {
        if outcome.withheld.is_empty() {
            return None;
        }
        self.bare += 1;
        let is_new = |name: &&HeaderName| !self.withheld.contains(name.as_str());
        let names = outcome.withheld.iter().filter(is_new);
        let names: Vec<_> = names.map(|name| name.as_str().to_owned()).collect();
        let list = names.join(", ");
        self.withheld.extend(names);
        let target = &outcome.attempts.last()?.url;
        (!list.is_empty()).then(|| {
            format!(
                "warning: {}: redirected to {}, another origin, so not sent there: {list} \
                 (see withheld_fields in the records; --location-trusted sends all fields)",
                outcome.url,
                fetch_proto::url_origin(target),
            )
        })
    }

    fn record_unfollowed(&mut self, outcome: &Outcome) -> Option<String> {
        let response = outcome.response()?;
        let is_redirect =
            response.status.is_redirection() && response.status != StatusCode::NOT_MODIFIED;
        if !self.has_files || !is_redirect {
            return None;
        }
        self.unfollowed += 1;
        (self.unfollowed == 1).then(|| {
            let location = response.headers.get(http::header::LOCATION);
            let target = location.and_then(|location| {
                let text = fetch_proto::location_text(location.as_bytes());
                let target = response.url.join(&text).ok().filter(|_| !text.is_empty())?;
                Some(format!("redirects to {}", RedactedUrl(&target)))
            });
            format!(
                "warning: {}: {} {}, which is not followed, so no file is saved",
                outcome.url,
                response.status.as_u16(),
                target
                    .as_deref()
                    .unwrap_or("is a redirect without Location"),
            )
        })
    }
}

/// The lines of the summary.
impl fmt::Display for RedirectNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unfollowed > 0 {
            let redirects = plural(self.unfollowed, "redirect", "redirects");
            writeln!(f, "  no file   {redirects} not followed")?;
        }
        if self.bare > 0 {
            let names: Vec<_> = self.withheld.iter().map(String::as_str).collect();
            let urls = plural(self.bare, "URL", "URLs");
            writeln!(
                f,
                "  withheld  {} from another origin after a redirect: {urls}",
                names.join(", ")
            )?;
        }
        Ok(())
    }
}

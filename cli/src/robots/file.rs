//! The robots.txt of one site.

use std::time::Duration;

use fetch_driver::{RedactedUrl, Request};
use fetch_proto::{PolicyPatch, RedirectPolicy, url_host};
use fetch_smol::{Fetcher, StreamExt};
use url::Url;

use super::rules::RobotsRules;

/// The most bytes of a file that are read: the minimum limit of RFC 9309, 2.5.
const MAX_BYTES: usize = 500 << 10;

/// RFC 9309, 2.3.1.2: at least five redirects are followed.
const MAX_REDIRECTS: u16 = 5;

/// A longer Crawl-delay counts as this one.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The rules of a site for this program.
pub(super) enum RobotsFile {
    /// The site has no file: everything is allowed.
    AllowAll,
    /// The file could not be fetched, for this reason: nothing is allowed.
    Unavailable(String),
    Rules(RobotsRules),
}

impl RobotsFile {
    /// Fetches the file of the site `origin`, and selects the rules for `agent`.
    pub(super) async fn fetch(fetcher: &Fetcher, origin: &str, agent: &str) -> Self {
        match fetch_text(fetcher, origin).await {
            Ok(Some(text)) => {
                let agent = agent.to_owned();
                smol::unblock(move || Self::Rules(RobotsRules::parse(&text, &agent))).await
            }
            Ok(None) => Self::AllowAll,
            Err(why) => Self::Unavailable(why),
        }
    }

    /// Why the URL may not be fetched. `None` if it may.
    pub(super) fn refusal(&self, url: &Url) -> Option<String> {
        match self {
            Self::AllowAll => None,
            Self::Unavailable(why) => Some(format!(
                "robots.txt could not be fetched, so nothing of this site is allowed: {why}"
            )),
            Self::Rules(rules) if rules.allows(url) => None,
            Self::Rules(_) => Some("robots.txt does not allow it".to_owned()),
        }
    }

    /// Why a URL to which a redirect leads may not be fetched, with the host and the URL, because they
    /// are not those of the list. `None` if it may.
    pub(super) fn redirect_refusal(&self, url: &Url) -> Option<String> {
        let (host, target) = (url_host(url), RedactedUrl(url));
        match self {
            Self::AllowAll => None,
            Self::Unavailable(why) => Some(format!(
                "robots.txt of {host} could not be fetched, so nothing of this site is allowed, nor \
                 {target}, to which it was redirected: {why}"
            )),
            Self::Rules(rules) if rules.allows(url) => None,
            Self::Rules(_) => Some(format!(
                "robots.txt of {host} does not allow {target}, to which it was redirected"
            )),
        }
    }

    pub(super) fn crawl_delay(&self) -> Option<Duration> {
        let Self::Rules(rules) = self else {
            return None;
        };
        rules.crawl_delay.map(|delay| delay.min(MAX_DELAY))
    }

    /// The approximate memory use in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::AllowAll | Self::Unavailable(_) => 256,
            Self::Rules(rules) => 256 + rules.size(),
        }
    }
}

/// Fetches the text. `None` if the site has no file: any status except 2xx, 429 and 5xx.
async fn fetch_text(fetcher: &Fetcher, origin: &str) -> Result<Option<Vec<u8>>, String> {
    let request =
        Request::get(format!("{origin}/robots.txt")).map_err(|error| error.to_string())?;
    let patch = PolicyPatch::default()
        .max_body(u64::MAX)
        .redirects(RedirectPolicy::limit(MAX_REDIRECTS));
    let response = fetcher.open(request.policy_patch(patch)).await;
    let mut response = response.map_err(|error| error.to_string())?;
    match response.status.as_u16() {
        200..300 => {}
        status @ (429 | 500..) => return Err(format!("status {status}")),
        _ => return Ok(None),
    }
    let mut text = Vec::new();
    while text.len() < MAX_BYTES
        && let Some(chunk) = response.body.next().await
    {
        text.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
    }
    if text.len() > MAX_BYTES {
        // A truncated rule may have another meaning: drop the last line.
        text.truncate(MAX_BYTES);
        let end = text.iter().rposition(|byte| *byte == b'\n');
        text.truncate(end.unwrap_or(0));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(file: &str, path: &str) -> bool {
        let url: Url = format!("https://a.test{path}").parse().unwrap();
        let rules = RobotsRules::parse(file.as_bytes(), "fetch-all");
        RobotsFile::Rules(rules).refusal(&url).is_none()
    }

    /// RFC 9309, 2.2: the longest match wins, then allow; a group for this agent overrides that of
    /// `*`; `*` and `$` in paths.
    #[test]
    fn rules_follow_rfc_9309() {
        let file = "User-agent: *\nDisallow: /\n\nUser-agent: Fetch-All\nDisallow: /a\nAllow: /a/b\n\
                    Disallow: /*.gif$\nAllow: /same\nDisallow: /same\nDisallow: /ä\n";
        for (path, expected) in [
            ("/", true),
            ("/a", false),
            ("/a/c", false),
            ("/a/b/c", true),
            ("/x.gif", false),
            ("/x.gif?y", true),
            ("/same", true),
            ("/%C3%A4", false),
            ("/robots.txt", true),
        ] {
            assert_eq!(allowed(file, path), expected, "{path}");
        }
        assert!(!allowed("User-agent: *\nDisallow: /", "/x"));
        assert!(allowed("User-agent: other\nDisallow: /", "/x"));
        assert!(allowed("", "/x"));
        assert!(allowed("\u{0}\u{1}<html>", "/x"));
    }

    #[test]
    fn crawl_delays_are_capped_at_a_minute() {
        let delay = |text: &str| {
            let text = format!("User-agent: *\nCrawl-delay: {text}\n");
            let rules = RobotsRules::parse(text.as_bytes(), "fetch-all");
            RobotsFile::Rules(rules).crawl_delay()
        };
        assert_eq!(delay("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(delay("86400"), Some(MAX_DELAY));
        assert_eq!((delay("0"), delay("-1"), delay("x")), (None, None, None));
    }
}

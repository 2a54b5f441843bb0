//! A caller's say in where redirects lead.

use std::pin::Pin;

use url::Url;

/// The result of a [`RedirectCheck`]: an error says why the URL is not fetched.
pub type RedirectVerdict = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Decides whether the URLs to which redirects lead may be fetched: by robots.txt, or by a list of hosts.
/// See [`Request::redirect_check`](crate::Request::redirect_check).
///
/// ```
/// use std::sync::Arc;
///
/// use fetch_driver::{RedirectCheck, RedirectVerdict, Request};
///
/// struct OneHost(&'static str);
///
/// impl RedirectCheck for OneHost {
///     fn check(&self, url: &url::Url) -> RedirectVerdict {
///         let is_allowed = url.host_str() == Some(self.0);
///         let verdict = is_allowed.then_some(()).ok_or(format!("{url} is at another host"));
///         Box::pin(std::future::ready(verdict))
///     }
/// }
///
/// let request = Request::get("http://a.test/")?.redirect_check(Arc::new(OneHost("a.test")));
/// # Ok::<(), fetch_driver::Error>(())
/// ```
pub trait RedirectCheck: Send + Sync {
    /// Decides about a URL. The request waits for it within its time limits.
    fn check(&self, url: &Url) -> RedirectVerdict;
}

impl std::fmt::Debug for dyn RedirectCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedirectCheck(..)")
    }
}

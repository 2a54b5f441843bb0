//! Settings of the builder: functions that decide about attempts and responses.

use super::Builder;
use crate::model::hook::attempt_request::AttemptRequest;
use crate::model::hook::attempt_response::AttemptResponse;
use crate::model::hook::error::HookError;
use crate::model::hook::verdict::Verdict;
use crate::settings::adapter::Adapter;

impl<A: Adapter> Builder<A> {
    /// Calls this function before each attempt: it may change the header fields of the request, wait, or
    /// refuse. It sees each attempt anew, also those after a retry, a redirect and a hedge, so that it
    /// signs them with the time, or takes another token. Several functions are called in the order in
    /// which they were set.
    ///
    /// The attempt has its slot and its time limit meanwhile. All functions together have 5 s
    /// ([`Timeouts::hook`](crate::Timeouts::hook)). What is answered from a cache has no attempt, and a
    /// cache stores no response to a request whose fields were changed here, because their user is not
    /// known.
    ///
    /// ```
    /// use fetch_driver::{AttemptRequest, HookError, http::HeaderValue};
    ///
    /// async fn sign(mut request: AttemptRequest) -> Result<AttemptRequest, HookError> {
    ///     if request.url().host_str() != Some("127.0.0.1") {
    ///         return Err(HookError::refused("only our own server gets a signature"));
    ///     }
    ///     let signature = format!("{}.{}", request.attempt(), request.url().path().len());
    ///     let value = HeaderValue::try_from(signature).map_err(HookError::failed)?;
    ///     request.headers_mut().insert("x-signature", value);
    ///     Ok(request)
    /// }
    ///
    /// # let site = fetch_testbed::Site::start()?;
    /// let fetcher = fetch_smol::Fetcher::builder().before_attempt(sign).build()?;
    /// let response = smol::block_on(fetcher.get(site.url("/headers")))?;
    /// assert!(String::from_utf8_lossy(&response.body).contains("1.8"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn before_attempt<F>(
        mut self,
        hook: impl Fn(AttemptRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<AttemptRequest, HookError>> + Send + 'static,
    {
        self.settings.add_before_attempt(hook);
        self
    }

    /// Calls this function for each response, also one that redirects, with its head and the first
    /// `first_bytes` of its decoded body. It decides whether the response is a success, a failure, or
    /// one to retry, in place of the policy.
    ///
    /// The attempt has its slot and its time limit meanwhile. Reading and deciding together have 5 s
    /// ([`Timeouts::hook`](crate::Timeouts::hook)). Responses from a cache, and parts that continue a
    /// body, are not classified.
    ///
    /// ```
    /// use fetch_driver::{AttemptResponse, RetryClass, Verdict};
    ///
    /// async fn judge(response: AttemptResponse) -> Verdict {
    ///     match &response.first_bytes[..] {
    ///         body if body.starts_with(b"{\"error\"") => Verdict::fail("the API reports an error"),
    ///         b"" if response.status == 200 => Verdict::retry(RetryClass::Server, "empty body"),
    ///         _ => Verdict::by_policy(),
    ///     }
    /// }
    ///
    /// # let site = fetch_testbed::Site::start()?;
    /// let fetcher = fetch_smol::Fetcher::builder().classify(8, judge).build()?;
    /// assert!(smol::block_on(fetcher.get(site.url("/get"))).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn classify<F>(
        mut self,
        first_bytes: usize,
        hook: impl Fn(AttemptResponse) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.settings.set_classify(first_bytes, hook);
        self
    }
}

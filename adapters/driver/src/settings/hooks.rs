//! The hooks of a fetcher.

use std::sync::Arc;

use super::Settings;
use crate::model::hook::ClassifyHook;
use crate::model::hook::attempt_request::AttemptRequest;
use crate::model::hook::attempt_response::AttemptResponse;
use crate::model::hook::error::HookError;
use crate::model::hook::verdict::Verdict;

impl Settings {
    /// Calls this function before each attempt: see
    /// [`Builder::before_attempt`](crate::Builder::before_attempt).
    ///
    /// ```
    /// use fetch_driver::{HookError, Settings};
    /// Settings::default().add_before_attempt(|_| async { Err(HookError::refused("closed")) });
    /// ```
    pub fn add_before_attempt<F>(
        &mut self,
        hook: impl Fn(AttemptRequest) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<AttemptRequest, HookError>> + Send + 'static,
    {
        let hook = Arc::new(move |request| Box::pin(hook(request)) as _);
        self.hooks.before_attempt.push(hook);
    }

    /// Calls this function for each response: see [`Builder::classify`](crate::Builder::classify).
    ///
    /// ```
    /// use fetch_driver::{Settings, Verdict};
    /// Settings::default().set_classify(0, |_| async { Verdict::by_policy() });
    /// ```
    pub fn set_classify<F>(
        &mut self,
        first_bytes: usize,
        hook: impl Fn(AttemptResponse) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.hooks.classify = Some(ClassifyHook {
            call: Arc::new(move |response| Box::pin(hook(response))),
            first_bytes,
        });
    }
}

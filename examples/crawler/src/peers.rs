//! The crawler with reqwest-middleware, reqwest-retry and governor.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{Extensions, StatusCode};
use metrics::{counter, histogram};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use tokio::time::{Instant, sleep_until, timeout};

use crate::model::{Catalogue, Item, Page};

/// Pauses all requests for as long as the API asks, but no longer than this.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The limit of one attempt, until its head has arrived.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);

/// What each attempt goes through: the rate, the pause, a time limit, and metrics.
struct Attempts {
    limiter: DefaultDirectRateLimiter,
    paused_until: Mutex<Instant>,
}

impl Attempts {
    fn pause_end(&self) -> Instant {
        *self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pause_for(&self, response: &Response) {
        let is_pause = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if !is_pause.contains(&response.status()) {
            return;
        }
        let field = response.headers().get(RETRY_AFTER);
        let seconds = field.and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(seconds) = seconds {
            let end = Instant::now() + Duration::from_secs(seconds).min(MAX_PAUSE);
            let mut until = self
                .paused_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *until = end.max(*until);
        }
    }
}

/// The number of the next attempt at a request.
#[derive(Clone)]
struct AttemptNumber(u32);

#[async_trait]
impl Middleware for Attempts {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let number = extensions
            .get::<AttemptNumber>()
            .map_or(0, |number| number.0);
        extensions.insert(AttemptNumber(number + 1));
        if number > 0 {
            counter!("fetch.retries").increment(1);
        }
        // A pause may begin while this request waits for the rate.
        while self.pause_end() > Instant::now() {
            sleep_until(self.pause_end()).await;
        }
        self.limiter.until_ready().await;
        let (method, start) = (request.method().to_string(), Instant::now());
        let sent = timeout(ATTEMPT_TIMEOUT, next.run(request, extensions)).await;
        let result = sent.unwrap_or_else(|_| Err(Error::middleware(AttemptTimedOut)));
        let status = match &result {
            Ok(response) => {
                self.pause_for(response);
                response.status().as_u16().to_string()
            }
            Err(_) => "error".to_owned(),
        };
        histogram!(
            "http.client.request.duration",
            "http.request.method" => method,
            "http.response.status_code" => status
        )
        .record(start.elapsed());
        result
    }
}

/// An attempt took too long.
#[derive(Debug)]
struct AttemptTimedOut;

impl std::fmt::Display for AttemptTimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no answer within {ATTEMPT_TIMEOUT:?}")
    }
}

impl std::error::Error for AttemptTimedOut {}

/// Crawls an API.
#[derive(Debug)]
pub struct Crawler {
    api: String,
    client: ClientWithMiddleware,
    concurrency: usize,
}

impl Crawler {
    /// A crawler of the API at this URL, with limits on the requests at once and per second.
    #[must_use]
    pub fn new(api: &str, concurrency: usize, per_second: NonZeroU32) -> Self {
        let retries = ExponentialBackoff::builder()
            .retry_bounds(Duration::from_millis(100), Duration::from_secs(30))
            .build_with_max_retries(3);
        let quota = Quota::per_second(per_second).allow_burst(NonZeroU32::MIN);
        let attempts = Attempts {
            limiter: RateLimiter::direct(quota),
            paused_until: Mutex::new(Instant::now()),
        };
        let client = ClientBuilder::new(reqwest::Client::new())
            .with(RetryTransientMiddleware::new_with_policy(retries))
            .with(attempts)
            .build();
        Self {
            api: api.to_owned(),
            client,
            concurrency,
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = self
            .client
            .get(format!("{}{path}", self.api))
            .send()
            .await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// Fetches all items.
    ///
    /// # Errors
    ///
    /// If a page of the list cannot be fetched.
    pub async fn crawl(&self) -> Result<Catalogue> {
        let mut catalogue = Catalogue::default();
        let mut next = Some("/items?page=1".to_owned());
        while let Some(path) = next {
            let page: Page = self.get(&path).await?;
            let fetches = page.ids.iter().map(|id| async move {
                let item: Result<Item> = self.get(&format!("/items/{id}")).await;
                (*id, item)
            });
            let mut items = futures::stream::iter(fetches).buffer_unordered(self.concurrency);
            while let Some((id, item)) = items.next().await {
                match item {
                    Ok(item) => catalogue.items.push(item),
                    Err(error) => catalogue.failed.push((id, error.to_string())),
                }
            }
            next = page.next;
        }
        Ok(catalogue)
    }
}

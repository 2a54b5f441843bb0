//! The crawler with fetch-all.

use std::time::Duration;

use fetch_all::tokio::{Fetcher, StreamExt};
use fetch_all::{Backoff, BuildError, Error, Policy, Rate};

use crate::model::{Catalogue, Page};

/// Four attempts at each URL, the second after 0.1 s.
fn policy() -> Policy {
    let backoff = Backoff::default().base(Duration::from_millis(100));
    Policy::default().attempts(4).backoff(backoff)
}

/// Crawls an API.
#[derive(Debug)]
pub struct Crawler {
    api: String,
    fetcher: Fetcher,
}

impl Crawler {
    /// A crawler of the API at this URL, with limits on the requests at once and per second.
    ///
    /// # Errors
    ///
    /// If the limits are not valid.
    pub fn new(api: &str, concurrency: usize, rate: Rate) -> Result<Self, BuildError> {
        let fetcher = Fetcher::builder().concurrency(concurrency).host_rate(rate);
        Ok(Self {
            api: api.to_owned(),
            fetcher: fetcher.policy(policy()).build()?,
        })
    }

    /// Fetches all items.
    ///
    /// # Errors
    ///
    /// If a page of the list cannot be fetched.
    pub async fn crawl(&self) -> Result<Catalogue, Error> {
        let mut catalogue = Catalogue::default();
        let mut next = Some("/items?page=1".to_owned());
        while let Some(path) = next {
            let url = format!("{}{path}", self.api);
            let page: Page = self.fetcher.get(url).await?.error_for_status()?.json()?;
            let urls: Vec<_> = page
                .ids
                .iter()
                .map(|id| format!("{}/items/{id}", self.api))
                .collect();
            let mut outcomes = self.fetcher.fetch_all(urls);
            while let Some(outcome) = outcomes.next().await {
                let id = page.ids[outcome.tag as usize];
                match outcome.into_success().and_then(|response| response.json()) {
                    Ok(item) => catalogue.items.push(item),
                    Err(error) => catalogue.failed.push((id, error.to_string())),
                }
            }
            next = page.next;
        }
        Ok(catalogue)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fetch_all::proto::testing::{FetchScript, status};

    use super::*;

    #[test]
    fn the_api_is_asked_again_when_it_wants_to_be() {
        let throttled = status(429).retry_after(Duration::from_secs(30));
        let run = FetchScript::new(policy())
            .answers([throttled, status(200)])
            .run();
        assert_eq!(
            run.to_string(),
            "0s start · 0s 429 · 30s start · 30s 200 done"
        );
    }
}

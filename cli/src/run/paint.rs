//! What `--tui` shows.

use std::time::Duration;

use fetch_driver::FetchAll;

use super::Run;
use crate::robots::AdmittedRequests;
use crate::ui::screen::{HostRow, Picture};

/// How often there is a new picture.
const PAUSE: Duration = Duration::from_millis(200);

/// The most hosts in it.
const HOSTS: usize = 40;

impl Run {
    /// Shows how it stands, if there is a screen and it is time.
    pub(super) async fn paint(&mut self, outcomes: &FetchAll<AdmittedRequests>) {
        let now = self.started.elapsed();
        if self.progress.screen().is_none() || now < self.painted + PAUSE {
            return;
        }
        self.painted = now;
        let counts = self.counts(outcomes);
        let mut picture = Picture::new(counts, &self.batch.tally);
        picture.stopping = self.stopping;
        let backlog = self.batch.shared.backlog.as_ref();
        let top = backlog.map(|backlog| backlog.top(HOSTS));
        for (origin, queue) in top.unwrap_or_default() {
            let stats = self.fetcher.host_stats(&origin).await;
            let row = HostRow::new(&origin, &queue, stats.as_ref(), now);
            picture.hosts.push(row);
        }
        if let Some(screen) = self.progress.screen() {
            screen.show(picture);
        }
    }
}

//! The screen of `--tui`.

use std::time::Duration;

use fetch_driver::FetchAll;

use super::ActiveRun;
use crate::robots::AdmittedRequests;
use crate::ui::screen::{HostRow, ScreenView};

/// The minimum time between two updates.
const INTERVAL: Duration = Duration::from_millis(200);

/// The most hosts on the screen.
const MAX_HOSTS: usize = 40;

impl ActiveRun {
    /// Updates the screen, if there is one and an update is due.
    pub(super) async fn paint(&mut self, fetches: &FetchAll<AdmittedRequests>) {
        let now = self.started.elapsed();
        if self.progress.screen().is_none() || now < self.painted + INTERVAL {
            return;
        }
        self.painted = now;
        let counts = self.counts(fetches);
        let mut view = ScreenView::new(counts, &self.outcomes.tally);
        view.stopping = self.stopping;
        let backlog = self.outcomes.shared.backlog.as_ref();
        let top = backlog.map(|backlog| backlog.top(MAX_HOSTS));
        for (origin, queue) in top.unwrap_or_default() {
            let stats = self.fetcher.host_stats(&origin).await;
            let row = HostRow::new(&origin, &queue, stats.as_ref(), now);
            view.hosts.push(row);
        }
        if let Some(screen) = self.progress.screen() {
            screen.show(view);
        }
    }
}

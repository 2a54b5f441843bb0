//! The decisions that the driver reports to the log, kept by URL.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

static DECISIONS: Decisions = Decisions(Mutex::new(None));

/// A logger that keeps decisions, and nothing else.
struct Decisions(Mutex<Option<HashMap<String, Vec<String>>>>);

/// Lets the decisions of all fetchers that report them be kept.
pub(crate) fn install() {
    log::set_logger(&DECISIONS).expect("no other logger is installed");
    log::set_max_level(LevelFilter::Debug);
}

/// What was decided about the fetch of `url`, without the times that the machine decides.
pub(crate) fn of(url: &str) -> Vec<String> {
    DECISIONS
        .lock()
        .get_or_insert_default()
        .remove(url)
        .unwrap_or_default()
}

impl Decisions {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, Vec<String>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Decisions {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == fetch_all::driver::LOG_TARGET && metadata.level() == Level::Debug
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some(url) = record.key_values().get("url".into()) else {
            return;
        };
        let text = record.args().to_string();
        let text = text
            .split(" after ")
            .next()
            .filter(|text| text.ends_with(" starts"));
        let decision = text.map_or_else(|| record.args().to_string(), str::to_owned);
        let mut all = self.lock();
        let trace = all.get_or_insert_default().entry(url.to_string());
        trace.or_default().push(decision);
    }

    fn flush(&self) {}
}

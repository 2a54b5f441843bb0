//! Collects the decisions that the driver logs, by URL.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

static DECISIONS: DecisionLog = DecisionLog(Mutex::new(None));

/// A logger that stores decisions and ignores everything else.
struct DecisionLog(Mutex<Option<HashMap<String, Vec<String>>>>);

/// Installs the logger. It receives the decisions of all fetchers that log them.
pub(crate) fn install() {
    log::set_logger(&DECISIONS).expect("no other logger is installed");
    log::set_max_level(LevelFilter::Debug);
}

/// Takes the decisions about the fetch of `url`, without times that depend on the machine.
pub(crate) fn take_decisions(url: &str) -> Vec<String> {
    DECISIONS
        .lock()
        .get_or_insert_default()
        .remove(url)
        .unwrap_or_default()
}

impl DecisionLog {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, Vec<String>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for DecisionLog {
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

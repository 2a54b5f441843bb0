//! A small page about the run, which reloads itself.

use crate::display::ShortDuration;
use crate::ui::counts::ProgressCounts;

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:2rem auto;\
padding:0 1rem}progress{width:100%;height:1.2rem}dl{display:grid;grid-template-columns:max-content auto;\
gap:0 1.5rem}dd{margin:0;font-variant-numeric:tabular-nums}";

pub(super) fn render_page(counts: &ProgressCounts) -> String {
    let seconds = counts.elapsed.as_secs_f64().max(1e-3);
    let bar = match counts.total {
        Some(total) => format!(
            "<progress value=\"{}\" max=\"{}\">{0} of {1}</progress>",
            counts.done,
            total.max(1)
        ),
        None => String::new(),
    };
    let total = counts
        .total
        .map_or_else(|| "unknown".to_owned(), |total| total.to_string());
    let rows = [
        ("URLs done", counts.done.to_string()),
        ("total", total),
        ("ok", counts.ok.to_string()),
        ("failed", counts.done.saturating_sub(counts.ok).to_string()),
        ("retries", counts.retries.to_string()),
        ("in flight", counts.in_flight.to_string()),
        (
            "URLs per second",
            format!("{:.0}", counts.done as f64 / seconds),
        ),
        ("elapsed", ShortDuration(counts.elapsed).to_string()),
    ];
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>"))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta http-equiv=\"refresh\" \
         content=\"2\"/><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\
         <title>fetch-all: {} done</title><style>{STYLE}</style></head><body><h1>fetch-all</h1>{bar}\
         <dl>{rows}</dl><p>Metrics for Prometheus: /metrics.</p></body></html>\n",
        counts.done
    )
}

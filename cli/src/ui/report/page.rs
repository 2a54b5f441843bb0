//! The page: styles, sections, overview.

use std::fmt::Write;

use super::{RunReport, chart, escape_html, tables};
use crate::display::{ShortDuration, plural};

/// Colours with enough contrast on light and dark backgrounds (WCAG 2.2: 4.5 for text, 3 for bars).
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--soft:#57606a;--edge:#d0d7de;--ok:#0072b2;\
--bad:#c2410c;--line:#6e7781;--tint:#0072b222}\
@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--text:#e6edf3;--soft:#9aa4af;--edge:#30363d;\
--ok:#56b4e9;--bad:#f0883e;--line:#c9d1d9;--tint:#56b4e92e}}\
body{margin:0 auto;max-width:1000px;padding:1.5rem;background:var(--ground);color:var(--text);\
font:16px/1.5 system-ui,sans-serif}\
h1{margin:0}h2{margin:2rem 0 .5rem;border-bottom:1px solid var(--edge)}\
.soft,small,caption{color:var(--soft)}\
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:.75rem;padding:0;\
list-style:none}.cards li{border:1px solid var(--edge);border-radius:6px;padding:.5rem .75rem}\
.cards b{display:block;font-size:1.5rem}.bad-text{color:var(--bad)}\
svg{width:100%;min-width:600px;height:auto}svg text{fill:var(--soft);font-size:12px}\
.key::before{content:'';display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 1em;\
background:var(--c)}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem;font-size:.9rem;\
font-variant-numeric:tabular-nums}caption{text-align:left;padding:.25rem 0}\
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap}\
th:first-child{text-align:left;position:relative;width:100%;min-width:7em;white-space:normal;overflow-wrap:anywhere;\
font-weight:normal}\
.bar{position:absolute;inset:2px auto 2px 0;background:var(--tint)}\
details{border:1px solid var(--edge);border-radius:6px;padding:.4rem .75rem;margin:.5rem 0}\
summary{cursor:pointer}code{overflow-wrap:anywhere;font-size:.85em}li{margin:.25rem 0}";

/// The whole page.
pub(super) fn render_page(report: &RunReport<'_>) -> String {
    let mut html = page_head();
    add_overview(&mut html, report);
    let (summary, tally) = (report.summary, report.summary.tally);
    add_section(
        &mut html,
        "Timeline",
        &format!(
            "<p class=\"soft\"><span class=\"key\" style=\"--c:var(--ok)\">ok</span><span class=\"key\" \
         style=\"--c:var(--bad)\">failed</span><span class=\"key\" style=\"--c:var(--line)\">requests \
         started</span></p><div class=\"wide\">{}</div>",
            chart::draw_timeline(&tally.timeline)
        ),
    );
    if tally.times.count() > 0 {
        let chart = format!(
            "<div class=\"wide\">{}</div>",
            chart::draw_latency(&tally.times)
        );
        add_section(
            &mut html,
            "Latency",
            &(chart + &tables::times_table(summary)),
        );
    }
    add_section(
        &mut html,
        "Failures and suggested fixes",
        &tables::failures_section(summary),
    );
    let unfinished = tables::unfinished_table(summary);
    if !unfinished.is_empty() {
        add_section(&mut html, "URLs without a record", &unfinished);
    }
    add_section(&mut html, "Outcomes", &tables::outcomes_table(summary));
    add_section(&mut html, "Hosts", &tables::hosts_table(summary));
    let down = tables::down_hosts_table(summary, report.waiting_hosts);
    if !down.is_empty() {
        add_section(&mut html, "Hosts that were down", &down);
    }
    let waits = tables::waits_table(summary);
    if !waits.is_empty() {
        add_section(&mut html, "Hosts that were waited for", &waits);
    }
    add_section(&mut html, "Retries", &tables::retries_section(summary));
    add_section(&mut html, "Slowest", &tables::slowest_table(summary));
    add_section(
        &mut html,
        "Command",
        &tables::command_section(report.options),
    );
    let _ = writeln!(
        html,
        "</main><footer class=\"soft\"><p>fetch-all {}; secrets in URLs and options are redacted.</p></footer></body>\
         </html>",
        escape_html(crate::args::version::SHORT)
    );
    html
}

fn page_head() -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\"/><title>fetch-all: report</title><style>{STYLE}</style></head><body><main>"
    )
}

fn add_section(html: &mut String, title: &str, content: &str) {
    let _ = write!(html, "<section><h2>{title}</h2>{content}</section>");
}

fn add_overview(html: &mut String, report: &RunReport<'_>) {
    let summary = report.summary;
    let stats = summary.stats;
    let started = jiff::Timestamp::try_from(report.started);
    let started = started.map_or_else(|_| String::new(), |at| format!("{at:.0}"));
    let _ = write!(
        html,
        "<header><h1>fetch-all report</h1><p class=\"soft\">Started {started}, took {}. {}. Exit code {}: {}.</p>\
         </header>",
        ShortDuration(summary.elapsed),
        tables::received_text(summary),
        report.code,
        escape_html(match report.code {
            0 if summary.unfinished > 0 => "not every URL was fetched",
            code => crate::exit::meaning(code),
        }),
    );
    if let Some(why) = summary.stopped {
        let _ = write!(
            html,
            "<p class=\"bad-text\">Stopped early: {}. {} not finished.</p>",
            escape_html(why),
            plural(summary.unfinished, "URL", "URLs")
        );
    } else if summary.unfinished > 0 {
        let _ = write!(
            html,
            "<p class=\"bad-text\">Not complete: {} read but without a record.</p>",
            plural(summary.unfinished, "URL was", "URLs were")
        );
    }
    let ends = summary.tally.ends;
    let per_second = summary.count() as f64 / summary.elapsed.as_secs_f64().max(1e-6);
    html.push_str("<ul class=\"cards\">");
    for (name, count) in [
        ("URLs", summary.read().to_string()),
        ("ok", ends.ok.to_string()),
        ("HTTP errors", ends.http_errors.to_string()),
        ("failed", ends.failed.to_string()),
        ("URLs per second", format!("{per_second:.0}")),
        ("requests", stats.attempts().to_string()),
        ("retries", stats.retries().to_string()),
        ("redirects", stats.redirects().to_string()),
        (
            "circuit breakers opened",
            summary.engine.circuits_opened.to_string(),
        ),
    ] {
        let _ = write!(html, "<li><b>{count}</b>{name}</li>");
    }
    for (name, count) in [
        ("tokens acquired", summary.engine.tokens_acquired),
        (
            "requests sent again with a new token",
            summary.engine.auth_retries,
        ),
        ("malformed lines", summary.malformed),
        ("duplicates", summary.duplicates),
        ("disallowed by robots.txt", summary.disallowed),
        ("files that existed", summary.existing),
        ("completed before", summary.completed_before.0),
        ("not finished", summary.unfinished),
    ] {
        if count > 0 {
            let _ = write!(html, "<li><b>{count}</b>{name}</li>");
        }
    }
    html.push_str("</ul>");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use fetch_proto::{BatchStats, EngineStats};

    use super::*;
    use crate::outcome::tally::RunTally;
    use crate::ui::host_waits::HostWaits;
    use crate::ui::long_downloads::LongDownloads;
    use crate::ui::redirect_notes::RedirectNotes;
    use crate::ui::summary::RunSummary;

    #[test]
    fn a_run_with_urls_without_a_record_is_not_complete() {
        let (waits, stats, tally) = (
            HostWaits::default(),
            BatchStats::default(),
            RunTally::default(),
        );
        let (redirects, downloads) = (RedirectNotes::default(), LongDownloads::default());
        let summary = |unfinished| RunSummary {
            redirects: &redirects,
            cache: None,
            can_resume: false,
            completed_before: (0, 0),
            disallowed: 0,
            duplicates: 0,
            elapsed: Duration::from_secs(1),
            engine: EngineStats::default(),
            existing: 0,
            host_waits: &waits,
            long_downloads: &downloads,
            malformed: 0,
            stats: &stats,
            stopped: None,
            tally: &tally,
            unfinished,
            unfinished_hosts: Vec::new(),
        };
        let (partial, complete) = (summary(2), summary(0));
        let mut report = RunReport {
            code: 0,
            options: &crate::config::SetOptions::default(),
            started: SystemTime::UNIX_EPOCH,
            summary: &partial,
            waiting_hosts: &[],
        };
        let page = render_page(&report);
        assert!(page.contains("2 URLs were read but"), "{page}");
        assert!(!page.contains("0: every URL was fetched"), "{page}");
        report.summary = &complete;
        let page = render_page(&report);
        assert!(page.contains("0: every URL was fetched"), "{page}");
        assert!(!page.contains("Not complete"), "{page}");
    }
}

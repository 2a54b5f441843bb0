//! The tables of the page.

use std::fmt::{Display, Write};

use fetch_proto::{WaitReason, WaitingHost};

use super::escape_html;
use crate::config::SetOptions;
use crate::display::{ByteSize, ShortDuration, plural};
use crate::outcome::error_type::ErrorType;
use crate::outcome::errors::{ErrorExample, ErrorGroup};
use crate::outcome::hosts::HostTally;
use crate::ui::summary::{RunSummary, suggested_fix};

/// The most hosts with a row because they are busy.
const MAX_BUSY_HOSTS: usize = 30;

/// The most hosts with a row because URLs failed or wait there. The page says how many there are beyond.
const MAX_HOSTS: usize = 1_000;

/// A table with a caption. The first column has names, the others numbers.
struct HtmlTable(String);

impl HtmlTable {
    fn new(caption: &str, columns: &[&str]) -> Self {
        let mut html =
            format!("<div class=\"wide\"><table><caption>{caption}</caption><thead><tr>");
        for column in columns {
            let _ = write!(html, "<th scope=\"col\">{column}</th>");
        }
        html.push_str("</tr></thead><tbody>");
        Self(html)
    }

    /// `share` is the length of the row's bar, from 0 to 1.
    fn add_row(&mut self, name: &str, share: f64, numbers: &[&dyn Display]) {
        let percent = (share * 100.0).clamp(0.0, 100.0);
        let _ = write!(
            self.0,
            "<tr><th scope=\"row\"><span class=\"bar\" style=\"width:{percent:.1}%\"></span>{name}</th>"
        );
        for number in numbers {
            let _ = write!(self.0, "<td>{number}</td>");
        }
        self.0.push_str("</tr>");
    }

    fn finish(self) -> String {
        self.0 + "</tbody></table></div>"
    }
}

fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

pub(super) fn times_table(summary: &RunSummary<'_>) -> String {
    let columns = [
        "", "URLs", "shortest", "mean", "p50", "p90", "p99", "p99.9", "longest",
    ];
    let mut table = HtmlTable::new("Times", &columns);
    let rows = [
        ("total", &summary.tally.times),
        ("first byte", summary.stats.first_byte()),
    ];
    for (name, times) in rows.into_iter().filter(|(_, times)| times.count() > 0) {
        let s = times.summary();
        let all = [s.min, s.mean, s.p50, s.p90, s.p99, s.p999, s.max].map(ShortDuration);
        let mut numbers: Vec<&dyn Display> = vec![&s.count];
        numbers.extend(all.iter().map(|time| time as &dyn Display));
        table.add_row(name, 0.0, &numbers);
    }
    table.finish()
}

pub(super) fn outcomes_table(summary: &RunSummary<'_>) -> String {
    let tally = summary.tally;
    let mut table = HtmlTable::new("Outcomes by status or error type", &["", "URLs", "share"]);
    let all = summary.count();
    let mut rows: Vec<(String, u64)> = Vec::new();
    for (status, count) in &tally.statuses {
        let reason = http::StatusCode::from_u16(*status)
            .ok()
            .and_then(|s| s.canonical_reason());
        rows.push((format!("{status} {}", reason.unwrap_or_default()), *count));
    }
    let groups = tally.errors.groups();
    let others = groups
        .iter()
        .filter(|((_, error), _)| !matches!(error, ErrorType::Status(_)));
    rows.extend(others.map(|((_, error), group)| (error.to_string(), group.count)));
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (name, count) in rows {
        let part = ratio(count, all);
        table.add_row(
            &escape_html(&name),
            part,
            &[&count, &format!("{:.1} %", part * 100.0)],
        );
    }
    table.finish()
}

pub(super) fn hosts_table(summary: &RunSummary<'_>) -> String {
    let hosts = &summary.tally.hosts;
    let columns = ["", "URLs", "failed", "retries", "mean", "longest"];
    let mut table = HtmlTable::new("Hosts, busiest first", &columns);
    let busiest = hosts.busiest(usize::MAX);
    let most = busiest.first().map_or(1, |(_, host)| host.count);
    let mut row = |name: &str, host: &HostTally| {
        let (mean, longest) = (ShortDuration(host.mean()), ShortDuration(host.longest));
        let numbers: [&dyn Display; 5] =
            [&host.count, &host.failed, &host.retries, &mean, &longest];
        table.add_row(&escape_html(name), ratio(host.count, most), &numbers);
    };
    let mut rest = *hosts.others();
    let (mut rows, mut more) = (0, 0);
    for (rank, (name, host)) in busiest.iter().enumerate() {
        let is_named = rank < MAX_BUSY_HOSTS || host.failed > 0;
        if is_named && rows < MAX_HOSTS {
            rows += 1;
            row(name, host);
        } else {
            more += 1;
            rest.add(host);
        }
    }
    if rest.count > 0 {
        // Beyond its limit, the tally does not know the hosts by name.
        let are_known = hosts.others().count == 0;
        let name = match are_known {
            true => format!("{} more", plural(more, "host", "hosts")),
            false => "all others".to_owned(),
        };
        row(&name, &rest);
    }
    table.finish()
}

/// The hosts that were down at the end, and those at which URLs failed because of it; empty if there
/// are none.
pub(super) fn down_hosts_table(summary: &RunSummary<'_>, waiting: &[WaitingHost]) -> String {
    let failed = &summary.tally.down_hosts;
    let mut rows = Vec::new();
    for host in waiting {
        let (state, cause) = match host.reason {
            WaitReason::GivenUp { cause } => ("given up", cause),
            WaitReason::Outage { cause } => ("down", cause),
            _ => continue,
        };
        let count = failed.get(&host.host).map_or(0, |host| host.failed);
        rows.push((&*host.host, state, cause.to_string(), count));
    }
    let known = rows.len();
    for (name, host) in failed.iter() {
        if !rows[..known].iter().any(|(known, ..)| *known == name) {
            rows.push((name, "given up before", host.cause.clone(), host.failed));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by(|a, b| b.3.cmp(&a.3).then_with(|| a.0.cmp(b.0)));
    let more = rows.len().saturating_sub(MAX_HOSTS);
    let most = rows[0].3;
    let columns = ["", "at the end", "latest failure", "URLs failed"];
    let mut table = HtmlTable::new("Hosts that were down or given up", &columns);
    for (name, state, cause, count) in rows.into_iter().take(MAX_HOSTS) {
        let numbers: [&dyn Display; 3] = [&state, &escape_html(&cause), &count];
        table.add_row(&escape_html(name), ratio(count, most), &numbers);
    }
    let mut html = table.finish();
    if more > 0 {
        let _ = write!(
            html,
            "<p>{} more.</p>",
            plural(more as u64, "host", "hosts")
        );
    }
    html
}

/// How long hosts were waited for, and why; empty if none was.
pub(super) fn waits_table(summary: &RunSummary<'_>) -> String {
    let waits = summary.host_waits.totals(false);
    let Some((_, _, longest)) = waits.first() else {
        return String::new();
    };
    let mut table = HtmlTable::new("Hosts that were waited for", &["", "why", "time"]);
    for (origin, kind, time) in waits.iter().take(MAX_HOSTS) {
        let part = time.as_secs_f64() / longest.as_secs_f64().max(1e-9);
        table.add_row(&escape_html(origin), part, &[kind, &ShortDuration(*time)]);
    }
    let more = waits.len().saturating_sub(MAX_HOSTS);
    let mut html = table.finish();
    if more > 0 {
        let _ = write!(html, "<p>{more} more.</p>");
    }
    html
}

pub(super) fn retries_section(summary: &RunSummary<'_>) -> String {
    let retries = &summary.tally.retries;
    let causes = retries.causes();
    if causes.is_empty() && retries.gave_up().is_empty() {
        return "<p>No retries.</p>".to_owned();
    }
    let most = causes.first().map_or(1, |(_, count)| *count);
    let mut table = HtmlTable::new("Causes of retries", &["", "retries"]);
    for (cause, count) in &causes {
        table.add_row(
            &escape_html(&cause.to_string()),
            ratio(*count, most),
            &[count],
        );
    }
    let mut html = table.finish();
    let _ = write!(
        html,
        "<p>{} succeeded after a retry. Total wait between attempts: {}; {} with Retry-After.</p>",
        plural(retries.rescued, "URL", "URLs"),
        ShortDuration(retries.waited),
        plural(retries.retry_after, "response", "responses"),
    );
    let gave_up = retries.gave_up();
    if !gave_up.is_empty() {
        let most = gave_up.first().map_or(1, |(_, count)| *count);
        let mut table = HtmlTable::new("Why failed URLs were not retried", &["", "URLs"]);
        for (why, count) in &gave_up {
            table.add_row(&escape_html(why), ratio(*count, most), &[count]);
        }
        html += &table.finish();
    }
    html
}

/// Each kind of failure, with a suggested fix and examples.
pub(super) fn failures_section(summary: &RunSummary<'_>) -> String {
    let groups = summary.tally.errors.groups();
    if groups.is_empty() {
        return "<p>No failures.</p>".to_owned();
    }
    let mut html = String::new();
    for ((outcome, error), group) in groups {
        // Only the most frequent kind is open at first.
        let open = if html.is_empty() {
            " open=\"open\""
        } else {
            ""
        };
        let (name, outcome_name) = (error.to_string(), outcome.as_str());
        let detail = if name == outcome_name {
            ""
        } else {
            outcome_name
        };
        let _ = write!(
            html,
            "<details{open}><summary><b>{}</b> {} <small>{}</small></summary>",
            group.count,
            escape_html(&name),
            detail,
        );
        if let Some(fix) = suggested_fix(outcome, error) {
            let _ = write!(html, "<p>Suggested fix: {}</p>", escape_html(fix));
        }
        write_examples(&mut html, group);
        html.push_str("</details>");
    }
    html
}

fn write_examples(html: &mut String, group: &ErrorGroup) {
    html.push_str("<ul>");
    let mut example = |example: &ErrorExample| {
        let _ = write!(
            html,
            "<li><code>{}</code><br/>{}, after {}, {} after the start</li>",
            escape_html(&example.url),
            escape_html(&example.message),
            plural(example.requests as u64, "request", "requests"),
            ShortDuration(example.at),
        );
    };
    group.first.iter().for_each(&mut example);
    group.last.iter().for_each(&mut example);
    let shown = (group.first.len() + group.last.len()) as u64;
    if group.count > shown {
        let _ = write!(html, "<li>{} more in between</li>", group.count - shown);
    }
    html.push_str("</ul>");
}

pub(super) fn slowest_table(summary: &RunSummary<'_>) -> String {
    let list = summary.tally.slowest.list();
    let longest = list.first().map_or(1.0, |slow| slow.took.as_secs_f64());
    let columns = ["", "result", "time", "waiting", "requests"];
    let mut table = HtmlTable::new("The slowest URLs", &columns);
    for slow in list {
        let part = slow.took.as_secs_f64() / longest.max(1e-9);
        let (took, waited) = (ShortDuration(slow.took), ShortDuration(slow.waited));
        let numbers: [&dyn Display; 4] =
            [&escape_html(&slow.result), &took, &waited, &slow.requests];
        table.add_row(
            &format!("<code>{}</code>", escape_html(&slow.url)),
            part,
            &numbers,
        );
    }
    table.finish()
}

/// The hosts whose URLs were read but have no record; empty if there are none.
pub(super) fn unfinished_table(summary: &RunSummary<'_>) -> String {
    let hosts = &summary.unfinished_hosts;
    if summary.unfinished == 0 || hosts.is_empty() {
        return String::new();
    }
    let most = hosts[0].1;
    let caption = "Hosts with URLs that were read but have no record";
    let mut table = HtmlTable::new(caption, &["", "state", "URLs"]);
    for (origin, count) in hosts.iter().take(MAX_HOSTS) {
        let reason = escape_html(&summary.host_waits.reason(origin));
        table.add_row(&escape_html(origin), ratio(*count, most), &[&reason, count]);
    }
    let named: u64 = hosts.iter().take(MAX_HOSTS).map(|(_, count)| count).sum();
    let mut html = table.finish();
    if summary.unfinished > named {
        let more = plural(summary.unfinished - named, "more URL", "more URLs");
        let _ = write!(html, "<p>{more} at other hosts.</p>");
    }
    html
}

/// The command line and the options with their sources.
pub(super) fn command_section(options: &SetOptions) -> String {
    let mut html = format!(
        "<p><code>{}</code></p><p>Version {}. Options that are set:</p><ul>",
        escape_html(&options.command_line),
        escape_html(crate::args::version::SHORT)
    );
    for (words, source) in &options.all {
        let _ = write!(
            html,
            "<li><code>{}</code> <small>{}</small></li>",
            escape_html(words),
            escape_html(source)
        );
    }
    html + "</ul>"
}

/// The amount of received data.
pub(super) fn received_text(summary: &RunSummary<'_>) -> String {
    format!(
        "{} over the wire, {} decoded",
        ByteSize(summary.tally.wire_bytes),
        ByteSize(summary.stats.bytes())
    )
}

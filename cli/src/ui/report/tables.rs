//! The numbers of the page, in tables.

use std::fmt::{Display, Write};

use super::escaped;
use crate::display::{Bytes, Time, plural};
use crate::outcome::error_type::ErrorType;
use crate::outcome::errors::{Example, Kind};
use crate::outcome::hosts::Host;
use crate::ui::summary::{Summary, advice};

/// So many hosts have a row.
const HOSTS: usize = 30;

/// A table with its caption, the first column being words and the others numbers.
struct Table(String);

impl Table {
    fn new(caption: &str, columns: &[&str]) -> Self {
        let mut html =
            format!("<div class=\"wide\"><table><caption>{caption}</caption><thead><tr>");
        for column in columns {
            let _ = write!(html, "<th scope=\"col\">{column}</th>");
        }
        html.push_str("</tr></thead><tbody>");
        Self(html)
    }

    /// `share` of the row's bar, from 0 to 1.
    fn row(&mut self, name: &str, share: f64, numbers: &[&dyn Display]) {
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

    fn end(self) -> String {
        self.0 + "</tbody></table></div>"
    }
}

fn share(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

pub(super) fn times(summary: &Summary<'_>) -> String {
    let columns = [
        "", "URLs", "shortest", "mean", "p50", "p90", "p99", "p99.9", "longest",
    ];
    let mut table = Table::new("Times", &columns);
    let rows = [
        ("whole", &summary.tally.times),
        ("first byte", summary.stats.first_byte()),
    ];
    for (name, times) in rows.into_iter().filter(|(_, times)| times.count() > 0) {
        let s = times.summary();
        let all = [s.min, s.mean, s.p50, s.p90, s.p99, s.p999, s.max].map(Time);
        let mut numbers: Vec<&dyn Display> = vec![&s.count];
        numbers.extend(all.iter().map(|time| time as &dyn Display));
        table.row(name, 0.0, &numbers);
    }
    table.end()
}

pub(super) fn statuses(summary: &Summary<'_>) -> String {
    let tally = summary.tally;
    let mut table = Table::new("How URLs ended", &["", "URLs", "of all"]);
    let all = summary.count();
    let mut rows: Vec<(String, u64)> = Vec::new();
    for (status, count) in &tally.statuses {
        let reason = http::StatusCode::from_u16(*status)
            .ok()
            .and_then(|s| s.canonical_reason());
        rows.push((format!("{status} {}", reason.unwrap_or_default()), *count));
    }
    let kinds = tally.errors.kinds();
    let others = kinds
        .iter()
        .filter(|((_, kind), _)| !matches!(kind, ErrorType::Status(_)));
    rows.extend(others.map(|((_, kind), seen)| (kind.to_string(), seen.count)));
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (name, count) in rows {
        let part = share(count, all);
        table.row(
            &escaped(&name),
            part,
            &[&count, &format!("{:.1} %", part * 100.0)],
        );
    }
    table.end()
}

pub(super) fn hosts(summary: &Summary<'_>) -> String {
    let hosts = &summary.tally.hosts;
    let columns = ["", "URLs", "not ok", "retries", "mean", "longest"];
    let mut table = Table::new("Hosts, those with the most URLs first", &columns);
    let busiest = hosts.busiest(usize::MAX);
    let most = busiest.first().map_or(1, |(_, host)| host.count);
    let mut row = |name: &str, host: &Host| {
        let (mean, longest) = (Time(host.mean()), Time(host.longest));
        let numbers: [&dyn Display; 5] =
            [&host.count, &host.failed, &host.retries, &mean, &longest];
        table.row(&escaped(name), share(host.count, most), &numbers);
    };
    for (name, host) in busiest.iter().take(HOSTS) {
        row(name, host);
    }
    let mut rest = *hosts.others();
    busiest
        .iter()
        .skip(HOSTS)
        .for_each(|(_, host)| rest.add(host));
    if rest.count > 0 {
        row("all others", &rest);
    }
    table.end()
}

pub(super) fn retries(summary: &Summary<'_>) -> String {
    let retries = &summary.tally.retries;
    let causes = retries.causes();
    if causes.is_empty() && retries.gave_up().is_empty() {
        return "<p>Nothing had to be tried again.</p>".to_owned();
    }
    let most = causes.first().map_or(1, |(_, count)| *count);
    let mut table = Table::new("Why requests were sent again", &["", "retries"]);
    for (cause, count) in &causes {
        table.row(&escaped(&cause.to_string()), share(*count, most), &[count]);
    }
    let mut html = table.end();
    let _ = write!(
        html,
        "<p>{} ended well only because of them. Together they waited {} before trying again; {} \
         said how long.</p>",
        plural(retries.saved, "URL", "URLs"),
        Time(retries.waited),
        plural(retries.told_to_wait, "answer", "answers"),
    );
    let gave_up = retries.gave_up();
    if !gave_up.is_empty() {
        let most = gave_up.first().map_or(1, |(_, count)| *count);
        let mut table = Table::new("Why failed URLs were not tried again", &["", "URLs"]);
        for (why, count) in &gave_up {
            table.row(&escaped(why), share(*count, most), &[count]);
        }
        html += &table.end();
    }
    html
}

/// Each kind of failure, with what to do and examples.
pub(super) fn failures(summary: &Summary<'_>) -> String {
    let kinds = summary.tally.errors.kinds();
    if kinds.is_empty() {
        return "<p>Every URL that was fetched ended well.</p>".to_owned();
    }
    let mut html = String::new();
    for ((outcome, kind), seen) in kinds {
        // The most frequent is seen at once.
        let open = if html.is_empty() {
            " open=\"open\""
        } else {
            ""
        };
        let name = kind.to_string();
        let group = if name == outcome { "" } else { outcome };
        let _ = write!(
            html,
            "<details{open}><summary><b>{}</b> {} <small>{}</small></summary>",
            seen.count,
            escaped(&name),
            escaped(group),
        );
        if let Some(advice) = advice(outcome, kind) {
            let _ = write!(html, "<p>What to do: {}</p>", escaped(advice));
        }
        examples(&mut html, seen);
        html.push_str("</details>");
    }
    html
}

fn examples(html: &mut String, seen: &Kind) {
    html.push_str("<ul>");
    let mut example = |example: &Example| {
        let _ = write!(
            html,
            "<li><code>{}</code><br/>{}, after {}, {} into the run</li>",
            escaped(&example.url),
            escaped(&example.message),
            plural(example.requests as u64, "request", "requests"),
            Time(example.at),
        );
    };
    seen.first.iter().for_each(&mut example);
    seen.last.iter().for_each(&mut example);
    let shown = (seen.first.len() + seen.last.len()) as u64;
    if seen.count > shown {
        let _ = write!(html, "<li>and {} between these</li>", seen.count - shown);
    }
    html.push_str("</ul>");
}

pub(super) fn slowest(summary: &Summary<'_>) -> String {
    let list = summary.tally.slowest.list();
    let longest = list.first().map_or(1.0, |slow| slow.took.as_secs_f64());
    let columns = ["", "result", "time", "of it waiting", "requests"];
    let mut table = Table::new("The slowest URLs", &columns);
    for slow in list {
        let part = slow.took.as_secs_f64() / longest.max(1e-9);
        let (took, waited) = (Time(slow.took), Time(slow.waited));
        let numbers: [&dyn Display; 4] = [&escaped(&slow.result), &took, &waited, &slow.requests];
        table.row(
            &format!("<code>{}</code>", escaped(&slow.url)),
            part,
            &numbers,
        );
    }
    table.end()
}

/// What was received, in words.
pub(super) fn received(summary: &Summary<'_>) -> String {
    format!(
        "{} over the wire, {} decoded",
        Bytes(summary.tally.wire_bytes),
        Bytes(summary.stats.bytes())
    )
}

//! Pictures in SVG, in the page's own colours, with their numbers in words for who cannot see them.

use std::fmt::Write;
use std::time::Duration;

use fetch_proto::Histogram;

use crate::display::ShortDuration;
use crate::outcome::tally::{RunTimeline, TimelineBucket};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
/// Room at the left for numbers, and below for times.
const LEFT: f64 = 56.0;
const BELOW: f64 = 28.0;
const ABOVE: f64 = 18.0;

/// So many bars for each doubling of the time.
const PER_DOUBLING: f64 = 4.0;

/// What ended and what began, over the time of the run.
pub(super) fn timeline(timeline: &RunTimeline) -> String {
    let (steps, step) = timeline.steps();
    let per_second = 1.0 / step.as_secs_f64();
    let ended = |bucket: &TimelineBucket| (bucket.ok + bucket.failed) as f64 * per_second;
    let begun = |bucket: &TimelineBucket| bucket.requests as f64 * per_second;
    let most = steps
        .iter()
        .map(|b| ended(b).max(begun(b)))
        .fold(1.0, f64::max);
    let end = step.mul_f64(steps.len().max(1) as f64);
    let mut svg = begin(
        "timeline",
        "What ended and began when",
        &format!(
            "URLs that ended and requests that began, for each second of {}; at the most {most:.0}",
            ShortDuration(end)
        ),
    );
    levels(&mut svg, most, "/s");
    let (wide, high) = (WIDTH - LEFT, HEIGHT - BELOW - ABOVE);
    let bar = wide / steps.len().max(1) as f64;
    for (n, bucket) in steps.iter().enumerate() {
        let x = LEFT + n as f64 * bar;
        let mut y = HEIGHT - BELOW;
        for (class, count) in [("ok", bucket.ok), ("bad", bucket.failed)] {
            let height = count as f64 * per_second / most * high;
            y -= height;
            if count > 0 {
                rect(&mut svg, class, x, y, (bar - 0.5).max(0.5), height);
            }
        }
    }
    let points: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(n, bucket)| {
            let x = LEFT + (n as f64 + 0.5) * bar;
            let y = HEIGHT - BELOW - begun(bucket) / most * high;
            format!("{x:.1},{y:.1}")
        })
        .collect();
    let _ = write!(
        svg,
        r#"<polyline class="line" points="{}"/>"#,
        points.join(" ")
    );
    times(&mut svg, |part| end.mul_f64(part));
    svg + "</svg>"
}

/// How long fetches took, the times growing by doubling.
pub(super) fn latency(took: &Histogram) -> String {
    let place = |time: Duration| (time.as_secs_f64().max(1e-6).log2() * PER_DOUBLING).floor();
    let (Some(min), Some(max)) = (took.min(), took.max()) else {
        return String::new();
    };
    let (first, last) = (place(min), place(max));
    let mut bars = vec![0_u64; (last - first) as usize + 1];
    for (time, count) in took.buckets() {
        let at = (place(time) - first).clamp(0.0, last - first);
        bars[at as usize] += count;
    }
    let most = bars.iter().copied().max().unwrap_or(1).max(1) as f64;
    let summary = took.summary();
    let words = format!(
        "How many fetches took how long: half at most {}, 90 % at most {}, 99 % at most {}, the \
         longest {}",
        ShortDuration(summary.p50),
        ShortDuration(summary.p90),
        ShortDuration(summary.p99),
        ShortDuration(summary.max)
    );
    let mut svg = begin("latency", "How long fetches took", &words);
    levels(&mut svg, most, "");
    let (wide, high) = (WIDTH - LEFT, HEIGHT - BELOW - ABOVE);
    let bar = wide / bars.len() as f64;
    for (n, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (*count as f64 / most * high).max(1.0);
        let y = HEIGHT - BELOW - height;
        rect(
            &mut svg,
            "ok",
            LEFT + n as f64 * bar,
            y,
            (bar - 1.0).max(0.5),
            height,
        );
    }
    let x = |time: Duration| {
        let exact = time.as_secs_f64().max(1e-6).log2() * PER_DOUBLING - first;
        LEFT + exact.clamp(0.0, bars.len() as f64) * bar
    };
    let marks = [
        ("p50", summary.p50),
        ("p90", summary.p90),
        ("p99", summary.p99),
    ];
    let mut taken = f64::NEG_INFINITY;
    for (name, time) in marks {
        let at = x(time);
        let _ = write!(
            svg,
            r#"<line class="mark" x1="{at:.1}" x2="{at:.1}" y1="{ABOVE}" y2="{:.1}"/>"#,
            HEIGHT - BELOW
        );
        // Names that would lie on each other are in the table below.
        if at - taken > 40.0 {
            label(&mut svg, at, ABOVE - 5.0, "middle", name);
            taken = at;
        }
    }
    times(&mut svg, |part| {
        let doublings = (first + part * bars.len() as f64) / PER_DOUBLING;
        Duration::from_secs_f64(2_f64.powf(doublings))
    });
    svg + "</svg>"
}

fn begin(id: &str, title: &str, words: &str) -> String {
    format!(
        r#"<svg role="img" aria-labelledby="{id}-title" aria-describedby="{id}-words" viewBox="0 0 {WIDTH} {HEIGHT}"><title id="{id}-title">{title}</title><desc id="{id}-words">{words}</desc>"#
    )
}

/// Lines at the top, the middle and the bottom, with their numbers.
fn levels(svg: &mut String, most: f64, unit: &str) {
    for part in [0.0, 0.5, 1.0] {
        let y = HEIGHT - BELOW - part * (HEIGHT - BELOW - ABOVE);
        let _ = write!(
            svg,
            r#"<line class="level" x1="{LEFT}" x2="{WIDTH}" y1="{y}" y2="{y}"/>"#
        );
        let number = format!("{:.0}{unit}", part * most);
        label(svg, LEFT - 6.0, y + 4.0, "end", &number);
    }
}

/// What time it is along the axis: `at` a part of it, from 0 to 1.
fn times(svg: &mut String, at: impl Fn(f64) -> Duration) {
    for n in 0..=4_u32 {
        let part = f64::from(n) / 4.0;
        let x = LEFT + part * (WIDTH - LEFT);
        label(
            svg,
            x,
            HEIGHT - 8.0,
            anchor(n, 4),
            &ShortDuration(at(part)).to_string(),
        );
    }
}

fn rect(svg: &mut String, class: &str, x: f64, y: f64, width: f64, height: f64) {
    let _ = write!(
        svg,
        r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
    );
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = write!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

/// So that the first and the last do not leave the picture.
fn anchor(n: u32, last: u32) -> &'static str {
    match n {
        0 => "start",
        n if n == last => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fetch_is_in_a_bar() {
        let mut times = Histogram::default();
        for ms in [1, 1, 3, 500, 60_000] {
            times.record(Duration::from_millis(ms));
        }
        let svg = latency(&times);
        assert_eq!(svg.matches("<rect").count(), 4, "{svg}");
        assert!(svg.contains("the longest 60.00 s"), "{svg}");
    }

    #[test]
    fn one_fetch_and_none_can_be_drawn() {
        let mut times = Histogram::default();
        assert_eq!(latency(&times), "");
        times.record(Duration::ZERO);
        assert!(latency(&times).contains("<rect"));
        assert!(timeline(&RunTimeline::default()).ends_with("</svg>"));
    }
}

//! The charts of the page: drawn by plotters, in the page's colours, with a description in words.

use std::error::Error;
use std::time::Duration;

use fetch_proto::DurationHistogram;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::display::ShortDuration;
use crate::outcome::tally::{RunTimeline, TimelineBucket};

const SIZE: (u32, u32) = (960, 220);

/// Placeholders of the page's colours. [`render`] replaces them by CSS variables, which differ
/// between light and dark mode.
const OK: RGBColor = RGBColor(0, 0, 1);
const FAILED: RGBColor = RGBColor(0, 0, 2);
const LINE: RGBColor = RGBColor(0, 0, 3);
const EDGE: RGBColor = RGBColor(0, 0, 4);
const VARIABLES: [(&str, &str); 4] = [
    ("#000001", "var(--ok)"),
    ("#000002", "var(--bad)"),
    ("#000003", "var(--line)"),
    ("#000004", "var(--edge)"),
];

/// The number of bars for each doubling of a duration.
const BARS_PER_DOUBLING: f64 = 4.0;

/// The minimum distance of two labels above a chart, as a part of its width.
const LABEL_DISTANCE: f64 = 0.05;

/// The result of drawing into memory, which only fails for invalid ranges.
type Drawn = Result<(), Box<dyn Error>>;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Ended fetches and started requests over the time of the run.
pub(super) fn draw_timeline(timeline: &RunTimeline) -> String {
    let (steps, step) = timeline.steps();
    let step_seconds = step.as_secs_f64();
    let rate = |count: u64| count as f64 / step_seconds;
    let ended = |bucket: &TimelineBucket| rate(bucket.ok + bucket.failed);
    let started = |bucket: &TimelineBucket| rate(bucket.requests);
    let peaks = steps.iter().map(|b| ended(b).max(started(b)));
    let peak = peaks.fold(1.0, f64::max);
    let end = step.mul_f64(steps.len().max(1) as f64);
    let draw = |svg: &mut String| {
        let seconds = |x: &f64| Duration::from_secs_f64(x.max(0.0));
        let mut chart = start_chart(svg, 0.0..end.as_secs_f64(), peak, "/s", seconds)?;
        for (n, bucket) in steps.iter().enumerate() {
            let (from, until) = (n as f64 * step_seconds, (n + 1) as f64 * step_seconds);
            let (ok, all) = (rate(bucket.ok), ended(bucket));
            let bars = [(OK, 0.0, ok), (FAILED, ok, all)].into_iter();
            let bars = bars.filter(|(_, bottom, top)| top > bottom);
            chart.draw_series(bars.map(|(colour, bottom, top)| {
                Rectangle::new([(from, bottom), (until, top)], colour.filled())
            }))?;
        }
        let middle = |n: usize| (n as f64 + 0.5) * step_seconds;
        let points = steps.iter().enumerate();
        let points = points.map(|(n, bucket)| (middle(n), started(bucket)));
        chart.draw_series(LineSeries::new(points, LINE.stroke_width(2)))?;
        Ok(())
    };
    render(
        draw,
        "timeline",
        "Ended URLs and started requests over time",
        &format!(
            "URLs that ended and requests that started, per second, over {}; peak {peak:.0}",
            ShortDuration(end)
        ),
    )
}

/// A histogram of the durations of fetches, on a logarithmic axis.
pub(super) fn draw_latency(durations: &DurationHistogram) -> String {
    let (Some(min), Some(max)) = (durations.min(), durations.max()) else {
        return String::new();
    };
    let doublings = |time: Duration| time.as_secs_f64().max(1e-6).log2();
    let bar = |time: Duration| (doublings(time) * BARS_PER_DOUBLING).floor();
    let (first, last) = (bar(min), bar(max));
    let mut bars = vec![0_u64; (last - first) as usize + 1];
    for (time, count) in durations.buckets() {
        let at = (bar(time) - first).clamp(0.0, last - first);
        bars[at as usize] += count;
    }
    let peak = bars.iter().copied().max().unwrap_or(1).max(1) as f64;
    let summary = durations.summary();
    let draw = |svg: &mut String| {
        let edge = |n: f64| (first + n) / BARS_PER_DOUBLING;
        let (left, right) = (edge(0.0), edge(bars.len() as f64));
        let time = |x: &f64| Duration::from_secs_f64(x.exp2());
        let mut chart = start_chart(svg, left..right, peak, "", time)?;
        let counts = bars.iter().enumerate().filter(|(_, count)| **count > 0);
        chart.draw_series(counts.map(|(n, count)| {
            let corners = [(edge(n as f64), 0.0), (edge(n as f64 + 1.0), *count as f64)];
            let mut bar = Rectangle::new(corners, OK.filled());
            bar.set_margin(0, 0, 0, 1);
            bar
        }))?;
        let mut labelled = f64::NEG_INFINITY;
        for (name, time) in [
            ("p50", summary.p50),
            ("p90", summary.p90),
            ("p99", summary.p99),
        ] {
            let x = doublings(time).clamp(left, right);
            let line = PathElement::new([(x, 0.0), (x, peak)], LINE);
            chart.draw_series([line])?;
            // Labels that would overlap are left out: the table below has the numbers.
            if x - labelled > LABEL_DISTANCE * (right - left) {
                let style = ("sans-serif", 12).into_font().color(&LINE);
                let style = style.pos(Pos::new(HPos::Center, VPos::Bottom));
                chart.draw_series([Text::new(name, (x, peak), style)])?;
                labelled = x;
            }
        }
        Ok(())
    };
    render(
        draw,
        "latency",
        "Durations of fetches",
        &format!(
            "Histogram of the durations of fetches: p50 {}, p90 {}, p99 {}, longest {}",
            ShortDuration(summary.p50),
            ShortDuration(summary.p90),
            ShortDuration(summary.p99),
            ShortDuration(summary.max)
        ),
    )
}

/// Draws the axes. `time` converts a value on the horizontal axis to a time.
fn start_chart<'a, 'b: 'a>(
    svg: &'b mut String,
    times: std::ops::Range<f64>,
    peak: f64,
    unit: &str,
    time: impl Fn(&f64) -> Duration,
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_top(18)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(56)
        .build_cartesian_2d(times, 0.0..peak)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(9)
        .y_labels(4)
        .axis_style(EDGE)
        .bold_line_style(EDGE)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 12))
        .x_label_formatter(&|x| ShortDuration(time(x)).to_string())
        .y_label_formatter(&|y| format!("{y:.0}{unit}"))
        .draw()?;
    Ok(chart)
}

/// The chart as an element of the page, with a title and a description.
fn render(draw: impl FnOnce(&mut String) -> Drawn, id: &str, title: &str, words: &str) -> String {
    let mut drawn = String::new();
    if draw(&mut drawn).is_err() {
        return String::new();
    }
    let (width, height) = SIZE;
    let elements = drawn.split_once('>').map_or("", |(_, elements)| elements);
    let mut svg = format!(
        r#"<svg role="img" aria-labelledby="{id}-title" aria-describedby="{id}-words" viewBox="0 0 {width} {height}"><title id="{id}-title">{title}</title><desc id="{id}-words">{words}</desc>{elements}"#
    );
    for (colour, variable) in VARIABLES {
        svg = svg.replace(colour, variable);
    }
    svg.truncate(svg.trim_end().len());
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fetch_is_in_a_bar() {
        let mut times = DurationHistogram::default();
        for ms in [1, 1, 3, 500, 60_000] {
            times.record(Duration::from_millis(ms));
        }
        let svg = draw_latency(&times);
        assert_eq!(svg.matches("<rect").count(), 4, "{svg}");
        assert!(svg.contains("longest 60 s"), "{svg}");
    }

    #[test]
    fn one_fetch_and_none_can_be_drawn() {
        let mut times = DurationHistogram::default();
        assert_eq!(draw_latency(&times), "");
        times.record(Duration::ZERO);
        assert!(draw_latency(&times).contains("<rect"));
        assert!(draw_timeline(&RunTimeline::default()).ends_with("</svg>"));
    }
}

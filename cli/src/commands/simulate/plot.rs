//! The report as an SVG chart.

use std::path::Path;

use fetch_proto::testing::{LoadSeries, SeriesPoint};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::SimulationReport;
use crate::exit::CliError;

const SIZE: (u32, u32) = (1000, 900);

/// The most hosts in the chart. Those with the most requests are shown.
const MAX_CHARTED: usize = 6;

/// Colours for colour-blind readers (Okabe and Ito, "Color universal design", 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
];

const OK: RGBColor = RGBColor(0, 158, 115);
const FAILED: RGBColor = RGBColor(213, 94, 0);

/// A line of a panel: name, colour, points.
type PlotLine<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Draws the chart into a file.
///
/// # Errors
///
/// If the file cannot be written.
pub(super) fn draw(
    path: &Path,
    report: &SimulationReport<'_>,
) -> std::result::Result<(), CliError> {
    let mut svg = String::new();
    draw_panels(&mut svg, report).map_err(CliError::internal)?;
    std::fs::write(path, svg).map_err(|error| {
        CliError::file(format!(
            "--plot {}: cannot be written: {error}",
            path.display()
        ))
    })
}

fn draw_panels(svg: &mut String, report: &SimulationReport<'_>) -> Result<()> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((3, 1));
    let series = &report.summary.series;
    let mut hosts: Vec<_> = report.summary.hosts.iter().collect();
    hosts.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.name.cmp(&b.name)));
    let load = hosts.iter().zip(COLOURS).take(MAX_CHARTED);
    let load = load.map(|(host, colour)| {
        let points = rates(&host.series, |point| point.requests);
        (&*host.name, colour, points)
    });
    panel(&panels[0], report, "requests per second", load.collect())?;
    let results = vec![
        ("ok", OK, rates(series, |point| point.ok)),
        ("failed", FAILED, rates(series, |point| point.failed)),
    ];
    panel(&panels[1], report, "fetches ended per second", results)?;
    let flying = steps(series, |point| point.in_flight as f64);
    let flying = vec![("in flight", COLOURS[0], flying)];
    panel(&panels[2], report, "requests in flight", flying)?;
    root.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    report: &SimulationReport<'_>,
    title: &str,
    lines: Vec<PlotLine<'_>>,
) -> Result<()> {
    let end = report.summary.took.as_secs_f64().max(0.001);
    let all = lines.iter().flat_map(|(_, _, points)| points);
    let most = all.map(|(_, value)| *value).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.08)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("seconds of virtual time; grey: outage")
        .label_style(("sans-serif", 13))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (from, until) in report.model.outages() {
        let (from, until) = (from.as_secs_f64().min(end), until.as_secs_f64().min(end));
        let corners = [(from, 0.0), (until, most * 1.08)];
        chart.draw_series([Rectangle::new(corners, BLACK.mix(0.08).filled())])?;
    }
    for (name, colour, points) in lines {
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}

fn rates(series: &LoadSeries, count: fn(&SeriesPoint) -> u64) -> Vec<(f64, f64)> {
    let seconds = series.width().as_secs_f64();
    steps(series, |point| count(point) as f64 / seconds)
}

/// A horizontal step per bucket.
fn steps(series: &LoadSeries, value: impl Fn(&SeriesPoint) -> f64) -> Vec<(f64, f64)> {
    let width = series.width().as_secs_f64();
    let step = |(n, point)| {
        let (from, value) = (n as f64 * width, value(point));
        [(from, value), (from + width, value)]
    };
    series.points().iter().enumerate().flat_map(step).collect()
}

//! A chart of the cost per URL by the length of the list, in SVG.

use std::path::Path;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

/// The costs on a list of one length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostPoint {
    /// URLs in the list.
    pub(crate) count: f64,
    /// CPU time per URL, in microseconds.
    pub(crate) micros: f64,
    /// Peak memory, in MiB.
    pub(crate) peak: f64,
}

/// A colour that colour-blind people can distinguish from grey (Okabe and Ito, "Color universal
/// design").
const BLUE: RGBColor = RGBColor(0, 114, 178);

/// Writes the chart to a file.
pub(crate) fn draw_chart(path: &Path, points: &[CostPoint]) -> Result<()> {
    let svg = render_chart(points).context("cannot draw the chart")?;
    std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))
}

fn render_chart(points: &[CostPoint]) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (900, 560)).into_drawing_area();
        let drawn = root.fill(&WHITE);
        drawn.map_err(|error| anyhow::anyhow!("{error}"))?;
        let (above, below) = root.split_vertically(280);
        let cost = points.iter().map(|point| (point.count, point.micros));
        draw_panel(&above, "CPU time of a URL, µs", &cost.collect::<Vec<_>>())?;
        let peak = points.iter().map(|point| (point.count, point.peak));
        draw_panel(&below, "peak memory, MiB", &peak.collect::<Vec<_>>())?;
        root.present().map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(svg)
}

/// Draws one panel. The vertical axis starts at zero, so that a constant cost looks constant.
fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    points: &[(f64, f64)],
) -> Result<()> {
    let counts = points.iter().map(|(count, _)| *count);
    let (least, most) = counts.fold((f64::MAX, 1.0), |(a, b), c| {
        (f64::min(a, c), f64::max(b, c))
    });
    let top = points.iter().map(|(_, value)| *value).fold(1.0, f64::max) * 1.5;
    let failed = |error: DrawingAreaErrorKind<_>| anyhow::anyhow!("{error}");
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), 0.0..top)
        .map_err(failed)?;
    let mut mesh = chart.configure_mesh();
    let mesh = mesh
        .light_line_style(TRANSPARENT)
        .x_desc("URLs in the list")
        .label_style(("sans-serif", 13))
        .x_label_formatter(&|value| crate::report::figures::group_thousands(value.round() as u64))
        .y_label_formatter(&|value| format!("{value:.0}"));
    mesh.draw().map_err(failed)?;
    let line = LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)).point_size(4);
    chart.draw_series(line).map_err(failed)?;
    let labels = points.iter().map(|(count, value)| {
        let text = format!("{value:.1}");
        let style = ("sans-serif", 13).into_font();
        EmptyElement::at((*count, *value)) + Text::new(text, (-10, -20), style)
    });
    chart.draw_series(labels).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_in_the_render_chart() {
        let point = |count, micros, peak| CostPoint {
            count,
            micros,
            peak,
        };
        let svg = render_chart(&[point(1e4, 12.3, 45.6), point(1e7, 78.9, 10.1)]).unwrap();
        for figure in ["12.3", "45.6", "78.9", "10.1", "10,000", "10,000,000"] {
            assert!(svg.contains(figure), "{figure}");
        }
    }
}

//! The examples' figures as pictures, in SVG.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fetch_all::proto::testing::{LoadSeries, Outage, SeriesPoint};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours that the colour-blind tell apart (Okabe and Ito, "Color universal design", 2008).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Panels above each other, with the same time.
pub(crate) struct Picture<'a> {
    /// Drawn grey.
    pub(crate) outage: Outage,
    /// When the time ends.
    pub(crate) end: Duration,
    pub(crate) panels: Vec<Panel<'a>>,
}

/// Lines in one frame, four at the most.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    /// Each with its name and its value in every second.
    pub(crate) lines: Vec<(&'a str, Vec<u64>)>,
}

/// What was counted in every second of a run.
pub(crate) fn per_second(series: &LoadSeries, count: impl Fn(&SeriesPoint) -> u64) -> Vec<u64> {
    let mut seconds = Vec::new();
    for (place, point) in series.points().iter().enumerate() {
        // Buckets are a power of two in seconds, and here never more than one.
        let second = place * series.width().as_millis() as usize / 1000;
        seconds.resize(second + 1, 0);
        seconds[second] += count(point);
    }
    seconds
}

impl Picture<'_> {
    /// Draws the picture into that file.
    pub(crate) fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut svg = String::new();
        {
            let size = (900, 300 * self.panels.len() as u32);
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&WHITE)?;
            let areas = root.split_evenly((self.panels.len(), 1));
            for (area, panel) in areas.iter().zip(&self.panels) {
                self.panel(area, panel)?;
            }
            root.present()?;
        }
        std::fs::write(path, svg)
            .map_err(|error| format!("{}: cannot be written: {error}", path.display()).into())
    }

    fn panel(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        panel: &Panel<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let end = self.end.as_secs_f64();
        let values = panel.lines.iter().flat_map(|(_, values)| values);
        // Room for the names above the lines.
        let top = values.copied().max().unwrap_or(0).max(1) as f64 * 1.5;
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..end, 0.0..top)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("seconds of virtual time; grey: the outage")
            .label_style(("sans-serif", 13))
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .draw()?;
        let (from, until) = (self.outage.from, self.outage.until);
        let corners = [(from.as_secs_f64(), 0.0), (until.as_secs_f64(), top)];
        chart.draw_series([Rectangle::new(corners, BLACK.mix(0.08).filled())])?;
        for ((name, values), colour) in panel.lines.iter().zip(COLOURS) {
            let style = colour.stroke_width(2);
            let points = values.iter().enumerate();
            // A second's value stands at its end.
            let points = points.map(|(second, value)| (second as f64 + 1.0, *value as f64));
            let points = points.filter(|(second, _)| *second <= end);
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
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
}

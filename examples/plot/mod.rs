//! Charts of the examples' figures, in SVG.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fetch_all::proto::testing::{LoadSeries, Outage, SeriesPoint};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours that colour-blind people can distinguish (Okabe and Ito, "Color universal design", 2008).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Panels in one column with the same time axis.
pub(crate) struct ChartSheet<'a> {
    /// Marked in grey.
    pub(crate) outage: Outage,
    /// End of the time axis.
    pub(crate) end: Duration,
    pub(crate) panels: Vec<ChartPanel<'a>>,
}

/// One chart with at most four lines.
pub(crate) struct ChartPanel<'a> {
    pub(crate) title: &'a str,
    /// Each with its name and one value per second.
    pub(crate) lines: Vec<(&'a str, Vec<u64>)>,
}

/// Sums a count per second of the run.
pub(crate) fn per_second(series: &LoadSeries, count: impl Fn(&SeriesPoint) -> u64) -> Vec<u64> {
    let mut seconds = Vec::new();
    for (index, point) in series.points().iter().enumerate() {
        // The width of a point is at most one second in these runs.
        let second = index * series.width().as_millis() as usize / 1000;
        seconds.resize(second + 1, 0);
        seconds[second] += count(point);
    }
    seconds
}

impl ChartSheet<'_> {
    /// Writes the charts to a file.
    pub(crate) fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut svg = String::new();
        {
            let size = (900, 300 * self.panels.len() as u32);
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&WHITE)?;
            let areas = root.split_evenly((self.panels.len(), 1));
            for (area, panel) in areas.iter().zip(&self.panels) {
                self.draw_panel(area, panel)?;
            }
            root.present()?;
        }
        std::fs::write(path, svg)
            .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
    }

    fn draw_panel(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        panel: &ChartPanel<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let end = self.end.as_secs_f64();
        let values = panel.lines.iter().flat_map(|(_, values)| values);
        // Space for the legend above the lines.
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
            // The value of a second is drawn at its end.
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

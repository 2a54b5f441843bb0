//! Medians, ranges and ratios, as text.

use crate::case::grouped;

/// A figure over several rounds.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    sorted: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The middle one, or the mean of the middle two.
    pub(crate) fn median(&self) -> f64 {
        let (count, sorted) = (self.sorted.len(), &self.sorted);
        if count == 0 {
            return f64::NAN;
        }
        f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2])
    }

    /// The median and, when they differ, the least and the most.
    pub(crate) fn spread(&self, show: impl Fn(f64) -> String) -> String {
        let median = show(self.median());
        match (self.sorted.first(), self.sorted.last()) {
            (Some(&least), Some(&most)) if show(least) != show(most) => {
                format!("{median} ({}–{})", show(least), show(most))
            }
            _ => median,
        }
    }
}

/// A whole number, with commas.
pub(crate) fn whole(value: f64) -> String {
    grouped(value.round().max(0.0) as u64)
}

/// A number with one decimal.
pub(crate) fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

/// A number with two decimals.
pub(crate) fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

/// A table in Markdown: the first column holds text, the others figures.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = format!("|---|{}\n", "--:|".repeat(head.len() - 1));
    rows.iter()
        .fold(line(&head) + &rule, |text, row| text + &line(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(Figure::new([3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Figure::new([4.0, 1.0]).median(), 2.5);
    }

    #[test]
    fn a_range_is_shown_only_if_there_is_one() {
        assert_eq!(Figure::new([1.0, 2.0, 4.0]).spread(tenths), "2.0 (1.0–4.0)");
        assert_eq!(Figure::new([1.01, 1.02]).spread(tenths), "1.0");
    }

    #[test]
    fn tables_align_figures_to_the_right() {
        let text = table(&["client", "n"], &[vec!["a".into(), "1".into()]]);
        assert_eq!(text, "| client | n |\n|---|--:|\n| a | 1 |\n");
    }
}

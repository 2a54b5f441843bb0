//! Statistics over rounds, and figures and tables as text.

/// The values of one figure over several rounds.
#[derive(Clone, Debug)]
pub(crate) struct RoundStatistics {
    sorted: Vec<f64>,
}

impl RoundStatistics {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The middle value, or the mean of the middle two.
    pub(crate) fn median(&self) -> f64 {
        let (count, sorted) = (self.sorted.len(), &self.sorted);
        if count == 0 {
            return f64::NAN;
        }
        f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2])
    }

    /// The median and, if they differ, the minimum and the maximum.
    pub(crate) fn format_with_range(&self, show: impl Fn(f64) -> String) -> String {
        let median = show(self.median());
        match (self.sorted.first(), self.sorted.last()) {
            (Some(&least), Some(&most)) if show(least) != show(most) => {
                format!("{median} ({}–{})", show(least), show(most))
            }
            _ => median,
        }
    }
}

/// A number with commas between thousands.
pub(crate) fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An integer with commas between thousands.
pub(crate) fn format_whole(value: f64) -> String {
    group_thousands(value.round().max(0.0) as u64)
}

/// One decimal place.
pub(crate) fn format_tenths(value: f64) -> String {
    format!("{value:.1}")
}

/// Two decimal places.
pub(crate) fn format_hundredths(value: f64) -> String {
    format!("{value:.2}")
}

/// A table in Markdown. The first column contains text, the others figures.
pub(crate) fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
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
    fn thousands_are_grouped() {
        assert_eq!(
            [7, 999, 1_000, 1_234_567].map(group_thousands),
            ["7", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(RoundStatistics::new([3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(RoundStatistics::new([4.0, 1.0]).median(), 2.5);
    }

    #[test]
    fn a_range_is_shown_only_if_values_differ() {
        assert_eq!(
            RoundStatistics::new([1.0, 2.0, 4.0]).format_with_range(format_tenths),
            "2.0 (1.0–4.0)"
        );
        assert_eq!(
            RoundStatistics::new([1.01, 1.02]).format_with_range(format_tenths),
            "1.0"
        );
    }

    #[test]
    fn tables_align_figures_to_the_right() {
        let text = markdown_table(&["client", "n"], &[vec!["a".into(), "1".into()]]);
        assert_eq!(text, "| client | n |\n|---|--:|\n| a | 1 |\n");
    }
}

//! One case: all clients, in turn, round after round.

use anyhow::{Context, Result};

use crate::case::Case;
use crate::client::Client;
use crate::figures::{Figure, hundredths, table, tenths, whole};
use crate::site::Site;
use crate::usage::{Usage, of_part};

/// Runs the case and gives its table.
pub(crate) fn run(case: &Case, clients: &[Client], rounds: u16) -> Result<String> {
    let site = Site::start()?;
    let mut runs = vec![Vec::new(); clients.len()];
    for round in 1..=rounds {
        for (client, runs) in clients.iter().zip(&mut runs) {
            let usage = one(*client, case, &site)
                .with_context(|| format!("{} on case {}", client.name(), case.name))?;
            let micros = usage.cpu * 1e6 / case.requests as f64;
            eprintln!(
                "{} {round}/{rounds} {}: {micros:.1} µs/request",
                case.name,
                client.name()
            );
            runs.push(usage);
        }
    }
    Ok(render(case, clients, &runs))
}

fn one(client: Client, case: &Case, site: &Site) -> Result<Usage> {
    let requests = case.requests.to_string();
    of_part(["client", client.name(), case.name, &requests, &site.base])
}

/// The table. Each ratio is the median of the rounds' own ratios, so that what disturbed a whole
/// round cancels out.
fn render(case: &Case, clients: &[Client], runs: &[Vec<Usage>]) -> String {
    let requests = case.requests as f64;
    let figure = |runs: &[Usage], pick: &dyn Fn(&Usage) -> f64| Figure::new(runs.iter().map(pick));
    let to_ours = |own: &[Usage], pick: &dyn Fn(&Usage) -> f64| {
        hundredths(
            Figure::new(
                own.iter()
                    .zip(&runs[0])
                    .map(|(own, base)| pick(own) / pick(base)),
            )
            .median(),
        )
    };
    let rate = |usage: &Usage| requests / usage.wall;
    let rows: Vec<_> = clients
        .iter()
        .zip(runs)
        .map(|(client, runs)| {
            vec![
                client.title().to_owned(),
                figure(runs, &rate).spread(whole),
                to_ours(runs, &rate),
                figure(runs, &|usage| usage.cpu * 1e6 / requests).spread(tenths),
                to_ours(runs, &|usage| usage.cpu),
                figure(runs, &|usage| usage.peak_kib as f64 / 1024.0).spread(tenths),
                figure(runs, &|usage| usage.switches as f64).spread(whole),
            ]
        })
        .collect();
    let head = [
        "client",
        "requests/s",
        "× ours",
        "CPU µs/request",
        "× ours",
        "peak RSS, MiB",
        "voluntary switches",
    ];
    format!(
        "{}, {} rounds\n\n{}",
        case.title(),
        runs[0].len(),
        table(&head, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_paired_by_round() {
        let usage = |wall: f64| Usage {
            wall,
            cpu: wall,
            peak_kib: 2048,
            switches: 3,
        };
        let case = Case::ALL[0].with_requests(100);
        let runs = [vec![usage(1.0), usage(10.0)], vec![usage(2.0), usage(20.0)]];
        let text = render(&case, &[Client::Ours, Client::Floor], &runs);
        let floor = text.lines().last().unwrap();
        assert!(
            floor.contains("| 0.50 |") && floor.contains("| 2.00 | 2.0 | 3 |"),
            "{floor}"
        );
    }
}

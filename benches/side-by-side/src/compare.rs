//! One case: all clients, in turn, round after round.

use anyhow::{Context, Result};

use crate::allocations::Counter;
use crate::calls;
use crate::case::Case;
use crate::client::Client;
use crate::figures::{Figure, hundredths, table, tenths, whole};
use crate::site::Site;
use crate::usage::{Usage, of_part};

/// What all clients of a case used, one list for each client.
#[derive(Debug)]
pub(crate) struct Runs {
    case: Case,
    clients: Vec<Client>,
    usages: Vec<Vec<Usage>>,
    /// System calls of a request, where they could be counted.
    calls: Vec<Option<f64>>,
    /// Allocations of a request, where they could be counted.
    allocations: Vec<Option<f64>>,
}

/// Runs the case, so many rounds of it.
pub(crate) fn run(case: &Case, clients: &[Client], rounds: u16, counter: &Counter) -> Result<Runs> {
    let site = Site::start()?;
    let mut usages = vec![Vec::new(); clients.len()];
    for round in 1..=rounds {
        for (client, usages) in clients.iter().zip(&mut usages) {
            let usage = one(*client, case, &site)
                .with_context(|| format!("{} on case {}", client.name(), case.name))?;
            let micros = usage.cpu * 1e6 / case.requests as f64;
            eprintln!(
                "{} {round}/{rounds} {}: {micros:.1} µs/request",
                case.name,
                client.name()
            );
            usages.push(usage);
        }
    }
    let calls = clients.iter().map(|client| calls::of(*client, case, &site));
    let calls = calls.collect();
    let allocations = clients
        .iter()
        .map(|client| counter.count(*client, case, &site));
    let allocations = allocations.collect();
    Ok(Runs {
        case: *case,
        clients: clients.to_vec(),
        usages,
        calls,
        allocations,
    })
}

/// Runs one client once.
pub(crate) fn one(client: Client, case: &Case, site: &Site) -> Result<Usage> {
    let requests = case.requests.to_string();
    of_part([
        "client",
        client.name(),
        case.name,
        &requests,
        &site.ports.to_string(),
    ])
}

impl Runs {
    /// The table.
    pub(crate) fn table(&self) -> String {
        let against = format!("× {}", self.case.base);
        let head = [
            "client",
            "requests/s",
            &against,
            "CPU µs/request",
            "user + system",
            &against,
            "system calls/request",
            "allocations/request",
            "peak RSS, MiB",
            "voluntary switches",
        ];
        let rows = (0..self.clients.len()).map(|at| self.row(at));
        let rows: Vec<_> = rows.collect();
        let (title, rounds) = (self.case.title(), self.usages[0].len());
        format!("{title}, {rounds} rounds\n\n{}", table(&head, &rows))
    }

    fn row(&self, at: usize) -> Vec<String> {
        let (client, own) = (self.clients[at], &*self.usages[at]);
        let counted = |count: Option<f64>| count.map_or_else(|| "?".to_owned(), tenths);
        let requests = self.case.requests as f64;
        let rate = |usage: &Usage| requests / usage.wall;
        let figure = |pick: &dyn Fn(&Usage) -> f64| Figure::new(own.iter().map(pick));
        let micros = |pick: &dyn Fn(&Usage) -> f64| tenths(figure(pick).median() * 1e6 / requests);
        vec![
            client.title().to_owned(),
            figure(&rate).spread(whole),
            self.to_base(own, &rate),
            self.cost(own).spread(tenths),
            format!(
                "{} + {}",
                micros(&|usage| usage.cpu - usage.system),
                micros(&|usage| usage.system)
            ),
            self.to_base(own, &|usage| usage.cpu),
            counted(self.calls[at]),
            counted(self.allocations[at]),
            figure(&|usage| usage.peak_kib as f64 / 1024.0).spread(tenths),
            figure(&|usage| usage.switches as f64).spread(whole),
        ]
    }

    /// The rounds' own ratios to the first client, so that what disturbed a whole round cancels out.
    fn to_base(&self, own: &[Usage], pick: &dyn Fn(&Usage) -> f64) -> String {
        let pairs = own.iter().zip(&self.usages[0]);
        let ratios = pairs.map(|(own, base)| pick(own) / pick(base));
        Figure::new(ratios).spread(hundredths)
    }

    /// CPU time of a request, in microseconds.
    fn cost(&self, own: &[Usage]) -> Figure {
        let requests = self.case.requests as f64;
        Figure::new(own.iter().map(|usage| usage.cpu * 1e6 / requests))
    }

    /// For each client that stands for a row of the README's table of runtimes: the row's first cell
    /// and the median cost.
    pub(crate) fn costs(&self) -> Vec<(&'static str, String)> {
        let cost = |client: Client, own: &[Usage]| {
            let median = tenths(self.cost(own).median());
            match client {
                Client::OverReqwest => format!("{median} µs with reqwest"),
                _ => format!("{median} µs"),
            }
        };
        let rows = self.clients.iter().zip(&self.usages);
        rows.filter_map(|(client, own)| Some((client.runtime()?, cost(*client, own))))
            .collect()
    }
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
            main: 0.0,
            system: 0.25 * wall,
        };
        let runs = Runs {
            case: Case::ALL[0].with_requests(100),
            clients: vec![Client::Ours, Client::Floor],
            usages: vec![vec![usage(1.0), usage(10.0)], vec![usage(2.0), usage(20.0)]],
            calls: vec![Some(2.04), None],
            allocations: vec![Some(12.0), None],
        };
        let text = runs.table();
        let floor = text.lines().last().unwrap();
        assert!(
            floor.contains("| 0.50 |") && floor.contains("| 2.00 | ? | ? | 2.0 | 3 |"),
            "{floor}"
        );
    }

    #[test]
    fn costs_are_those_of_the_runtimes_alone() {
        let usage = Usage {
            wall: 1.0,
            cpu: 0.001,
            peak_kib: 1,
            switches: 0,
            main: 0.0,
            system: 0.0,
        };
        let runs = Runs {
            case: Case::ALL[0].with_requests(100),
            clients: vec![Client::Reqwest, Client::Tokio],
            usages: vec![vec![usage], vec![usage]],
            calls: vec![None, None],
            allocations: vec![None, None],
        };
        assert_eq!(runs.costs(), [("`tokio`", "10.0 µs".to_owned())]);
    }
}

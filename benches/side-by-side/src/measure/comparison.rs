//! Compares all clients of a case. They take turns in each round.

use anyhow::{Context, Result};

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::environment::site::ServerProcess;
use crate::environment::usage::{ResourceUsage, run_self};
use crate::measure::allocations::AllocationCounter;
use crate::measure::system_calls::count_system_calls;
use crate::report::figures::{
    RoundStatistics, format_hundredths, format_tenths, format_whole, markdown_table,
};

/// The usage of all clients of a case, one list per client.
#[derive(Debug)]
pub(crate) struct ComparisonResult {
    case: BenchmarkCase,
    clients: Vec<ClientKind>,
    usages: Vec<Vec<ResourceUsage>>,
    /// System calls per request, where they could be counted.
    system_calls: Vec<Option<f64>>,
    /// Allocations per request, where they could be counted.
    allocations: Vec<Option<f64>>,
}

/// Runs all clients of a case for this number of rounds.
pub(crate) fn compare_clients(
    case: &BenchmarkCase,
    clients: &[ClientKind],
    rounds: u16,
    counter: &AllocationCounter,
) -> Result<ComparisonResult> {
    let site = ServerProcess::start()?;
    let mut usages = vec![Vec::new(); clients.len()];
    for round in 1..=rounds {
        for (client, usages) in clients.iter().zip(&mut usages) {
            let usage = run_once(*client, case, &site)
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
    let system_calls = clients
        .iter()
        .map(|client| count_system_calls(*client, case, &site));
    let system_calls = system_calls.collect();
    let allocations = clients
        .iter()
        .map(|client| counter.count(*client, case, &site));
    let allocations = allocations.collect();
    Ok(ComparisonResult {
        case: *case,
        clients: clients.to_vec(),
        usages,
        system_calls,
        allocations,
    })
}

/// Runs one client once, in a fresh process.
pub(crate) fn run_once(
    client: ClientKind,
    case: &BenchmarkCase,
    site: &ServerProcess,
) -> Result<ResourceUsage> {
    let requests = case.requests.to_string();
    run_self([
        "client",
        client.name(),
        case.name,
        &requests,
        &site.ports.to_string(),
    ])
}

impl ComparisonResult {
    /// The table in Markdown.
    pub(crate) fn to_table(&self) -> String {
        let against = format!("× {}", self.case.baseline_name);
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
        format!(
            "{title}, {rounds} rounds\n\n{}",
            markdown_table(&head, &rows)
        )
    }

    fn row(&self, at: usize) -> Vec<String> {
        let (client, own) = (self.clients[at], &*self.usages[at]);
        let counted = |count: Option<f64>| count.map_or_else(|| "?".to_owned(), format_tenths);
        let requests = self.case.requests as f64;
        let rate = |usage: &ResourceUsage| requests / usage.wall;
        let figure =
            |pick: &dyn Fn(&ResourceUsage) -> f64| RoundStatistics::new(own.iter().map(pick));
        let micros = |pick: &dyn Fn(&ResourceUsage) -> f64| {
            format_tenths(figure(pick).median() * 1e6 / requests)
        };
        vec![
            client.title().to_owned(),
            figure(&rate).format_with_range(format_whole),
            self.ratio_to_first(own, &rate),
            self.cost(own).format_with_range(format_tenths),
            format!(
                "{} + {}",
                micros(&|usage| usage.cpu - usage.system),
                micros(&|usage| usage.system)
            ),
            self.ratio_to_first(own, &|usage| usage.cpu),
            counted(self.system_calls[at]),
            counted(self.allocations[at]),
            figure(&|usage| usage.peak_kib as f64 / 1024.0).format_with_range(format_tenths),
            figure(&|usage| usage.switches as f64).format_with_range(format_whole),
        ]
    }

    /// The ratio to the first client in each round, so that a disturbance of a whole round cancels out.
    fn ratio_to_first(
        &self,
        own: &[ResourceUsage],
        pick: &dyn Fn(&ResourceUsage) -> f64,
    ) -> String {
        let pairs = own.iter().zip(&self.usages[0]);
        let ratios = pairs.map(|(own, base)| pick(own) / pick(base));
        RoundStatistics::new(ratios).format_with_range(format_hundredths)
    }

    /// CPU time per request, in microseconds.
    fn cost(&self, own: &[ResourceUsage]) -> RoundStatistics {
        let requests = self.case.requests as f64;
        RoundStatistics::new(own.iter().map(|usage| usage.cpu * 1e6 / requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_paired_by_round() {
        let usage = |wall: f64| ResourceUsage {
            wall,
            cpu: wall,
            peak_kib: 2048,
            switches: 3,
            main_thread: 0.0,
            system: 0.25 * wall,
        };
        let result = ComparisonResult {
            case: BenchmarkCase::ALL[0].with_requests(100),
            clients: vec![ClientKind::Ours, ClientKind::Floor],
            usages: vec![vec![usage(1.0), usage(10.0)], vec![usage(2.0), usage(20.0)]],
            system_calls: vec![Some(2.04), None],
            allocations: vec![Some(12.0), None],
        };
        let text = result.to_table();
        let floor = text.lines().last().unwrap();
        assert!(
            floor.contains("| 0.50 |") && floor.contains("| 2.00 | ? | ? | 2.0 | 3 |"),
            "{floor}"
        );
    }
}

//! Costs of whole runs in virtual time.
//! `cargo bench -p fetch-proto --features testing --bench simulation`.

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use fetch_proto::EngineConfig;
use fetch_proto::testing::{ServerModel, Simulation};

fn main() {
    divan::main();
}

/// One run of a million fetches from ten hosts, where 5 % of the answers are failures.
#[divan::bench(sample_size = 1, sample_count = 3)]
fn a_million_fetches_with_five_percent_faults(bencher: Bencher<'_, '_>) {
    const COUNT: usize = 1_000_000;
    let server = ServerModel::default()
        .latency(Duration::from_millis(10)..=Duration::from_millis(100))
        .unavailable(20)
        .resets(20)
        .stalls(10);
    let urls: Vec<_> = (0..COUNT)
        .map(|n| format!("http://{}.test/{n}", n % 10))
        .collect();
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let mut simulation = Simulation::new(EngineConfig::default(), 7).everywhere(server);
        let summary = simulation.run(&urls);
        assert_eq!(summary.batch.count(), COUNT as u64);
        summary.digest
    });
}

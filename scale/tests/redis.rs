//! The queue on a real Redis, started for each test.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use fetch_scale::{LeaseClock, LeaseKeeper, Queue, RedisQueue, ScaleError, WorkerReport};
use fetch_testbed::servers::{Program, RealServer, ServerTest, run_tests};

const TTL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    run_tests(&[
        ServerTest::new(
            "a_partition_is_leased_to_one_worker_at_a_time",
            &[Program::Redis],
            one_worker_at_a_time,
        ),
        ServerTest::new(
            "a_lease_that_ended_goes_to_the_next_worker_and_is_lost_for_the_first",
            &[Program::Redis],
            ended_lease,
        ),
        ServerTest::new("extensions_report_progress", &[Program::Redis], reports),
        ServerTest::new(
            "a_restarted_redis_without_files_does_not_know_the_run_until_it_is_planned_again",
            &[Program::Redis],
            restart,
        ),
        ServerTest::new(
            "a_keeper_extends_its_leases_and_closes_the_gate_when_redis_is_gone",
            &[Program::Redis],
            keeper,
        ),
    ])
}

fn redis() -> RealServer {
    RealServer::start(Program::Redis, 1, |_| String::new()).unwrap()
}

fn queue(server: &RealServer, worker: &str) -> RedisQueue {
    let address = format!("redis://127.0.0.1:{}", server.port());
    RedisQueue::open(&address, "run", worker, TTL).unwrap()
}

/// Waits until `is_true`, for a minute at most.
fn wait_until(mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        assert!(Instant::now() < end, "not within a minute");
        thread::sleep(Duration::from_millis(20));
    }
}

fn one_worker_at_a_time() {
    let server = redis();
    let (mut a, mut b) = (queue(&server, "a"), queue(&server, "b"));
    assert_eq!(a.add(&[1, 2, 3]).unwrap(), 3);
    assert_eq!(b.add(&[2, 3]).unwrap(), 0, "they are queued already");
    let of_a = a.lease(2).unwrap();
    let of_b = b.lease(2).unwrap();
    assert_eq!((of_a.leases.len(), of_b.leases.len()), (2, 1));
    assert_eq!(of_b.incomplete, 3);
    a.done(&of_a.leases[0]).unwrap();
    a.give_back(&of_a.leases[1]).unwrap();
    let again = b.lease(5).unwrap();
    assert_eq!(again.incomplete, 2);
    assert_eq!(again.leases[0].partition, of_a.leases[1].partition);
    assert_eq!(
        a.add(&[of_a.leases[0].partition]).unwrap(),
        1,
        "it was complete"
    );
}

fn ended_lease() {
    let server = redis();
    let (mut a, mut b) = (queue(&server, "a"), queue(&server, "b"));
    a.add(&[7]).unwrap();
    let old = a.lease(1).unwrap().leases;
    let mut new = Vec::new();
    wait_until(|| {
        new = b.lease(1).unwrap().leases;
        !new.is_empty()
    });
    let report = WorkerReport::default();
    assert!(a.extend(&old, &report).unwrap().is_empty());
    assert_eq!(b.extend(&new, &report).unwrap(), [7]);
    // Its acknowledgement has no effect any more.
    a.done(&old[0]).unwrap();
    assert_eq!(b.status().unwrap().incomplete, 1);
    b.done(&new[0]).unwrap();
    assert_eq!(b.status().unwrap().incomplete, 0);
}

fn reports() {
    let server = redis();
    let mut a = queue(&server, "a");
    a.add(&[7, 8]).unwrap();
    let leases = a.lease(1).unwrap().leases;
    let report = WorkerReport {
        lines: 3,
        partitions: vec![(7, 3)],
        ..WorkerReport::default()
    };
    a.extend(&leases, &report).unwrap();
    let status = queue(&server, "other").status().unwrap();
    assert_eq!((status.incomplete, status.leased), (2, 1));
    let (worker, seen) = &status.workers[0];
    assert_eq!((worker.as_str(), seen.lines), ("a", 3));
}

fn restart() {
    let mut server = redis();
    let mut a = queue(&server, "a");
    a.add(&[7]).unwrap();
    let leases = a.lease(1).unwrap().leases;
    server.kill();
    let report = WorkerReport::default();
    assert!(matches!(
        a.extend(&leases, &report),
        Err(ScaleError::Queue(_))
    ));
    server.start_again().unwrap();
    assert!(matches!(a.lease(1), Err(ScaleError::NoRun)));
    assert!(matches!(a.extend(&leases, &report), Err(ScaleError::NoRun)));
    assert_eq!(a.add(&[7]).unwrap(), 1);
    assert_eq!(a.lease(1).unwrap().leases.len(), 1);
}

fn keeper() {
    let mut server = redis();
    let mut other = queue(&server, "other");
    other.add(&[7]).unwrap();
    let terms = fetch_proto::lease::LeaseTerms::new(TTL);
    let clock = LeaseClock::start();
    let keeper = LeaseKeeper::start(Box::new(queue(&server, "a")), clock, terms).unwrap();
    let gate = keeper.gate();
    assert!(!gate.is_open());
    keeper.want(1);
    wait_until(|| keeper.take_leased() == [7]);
    let end = Instant::now() + 2 * TTL;
    while Instant::now() < end {
        assert!(other.lease(1).unwrap().leases.is_empty());
        thread::sleep(Duration::from_millis(50));
    }
    server.kill();
    wait_until(|| {
        keeper
            .take_ended()
            .iter()
            .any(|(partition, _)| *partition == 7)
    });
    assert!(!gate.is_open());
    assert!(keeper.take_error().is_some());
    keeper.stop();
}

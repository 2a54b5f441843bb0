//! The log of a partition in a real S3-compatible store, started for the test.

use std::process::{Command, ExitCode};

use fetch_scale::{PartitionLog, Results, RunDescription, ScaleError, SeqRanges};
use fetch_testbed::servers::{Program, RealServer, ServerTest, run_tests};

/// Set in the process that has the variables of the account.
const INNER: &str = "FETCH_SCALE_TEST_S3";

fn main() -> ExitCode {
    if std::env::var_os(INNER).is_some() {
        log_in_s3();
        return ExitCode::SUCCESS;
    }
    run_tests(&[ServerTest::new(
        "a_worker_that_lost_its_partition_commits_nothing_to_s3",
        &[Program::Moto],
        start,
    )])
}

/// Runs the test in a process of its own, because the account is in its environment.
fn start() {
    let moto = RealServer::start(Program::Moto, 1, |_| String::new()).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .env(INNER, "1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT", moto.url(""))
        .env("AWS_ALLOW_HTTP", "true")
        .env("MOTO", moto.url("/bucket"))
        .status();
    assert!(status.unwrap().success());
}

fn log_in_s3() {
    create_bucket(&std::env::var("MOTO").unwrap());
    let results = Results::open("s3://bucket/a/run").unwrap();
    let missing = RunDescription::load(&results);
    assert!(
        matches!(missing, Err(ScaleError::Missing(_))),
        "{missing:?}"
    );
    let mut lines = SeqRanges::default();
    lines.insert(1);
    let mut stopped = PartitionLog::claim(&results, 7, "a").unwrap();
    let mut successor = PartitionLog::claim(&results, 7, "b").unwrap();
    successor
        .append_records(lines.clone(), b"{}\n", true)
        .unwrap();
    let refused = stopped.append_records(lines, b"{}\n", true);
    assert!(matches!(refused, Err(ScaleError::Fenced)), "{refused:?}");
    let log = PartitionLog::load(&results, 7).unwrap();
    assert!(log.is_complete());
    assert_eq!(log.epoch(), 2);
}

/// Creates a bucket, which needs no signature there.
fn create_bucket(url: &str) {
    use std::io::{Read, Write};

    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/bucket");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "PUT /bucket HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

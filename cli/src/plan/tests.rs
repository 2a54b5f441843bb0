use clap::Parser;

use super::*;
use crate::input;

fn args(options: &[&str]) -> CliArgs {
    CliArgs::try_parse_from(["fetch-all", "http://a.test/"].iter().chain(options)).unwrap()
}

fn plan(options: &[&str]) -> RunPlan {
    let args = args(options);
    let list = input::open(&args.input).unwrap();
    RunPlan::new(&args, list).unwrap()
}

#[test]
fn a_recording_is_made_by_one_thread() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.trace");
    let plan = plan(&["--record", path.to_str().unwrap(), "--threads", "4"]);
    assert_eq!(plan.client.settings.threads, 1);
    assert!(plan.output.recording.is_some() && path.exists());
}

#[test]
fn the_settings_have_the_rules_of_the_options() {
    let plan = plan(&["--timeout", "/slow/=9"]);
    let rules = plan.client.settings.config.rules.iter();
    let patterns: Vec<_> = rules.map(|(pattern, _)| pattern.to_string()).collect();
    assert_eq!(patterns, ["/slow/", "/delay/", "/status/"]);
    assert_eq!(plan.input.list.total, Some(1));
}

#[test]
fn a_dry_run_writes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (records, recording) = (path("records.parquet"), path("run.trace"));
    let options = [
        "-o", &records, "--record", &recording, "--format", "parquet",
    ];
    let args = args(&options);
    let list = input::open(&args.input).unwrap();
    assert!(DryRunPlan::new(&args, list).is_ok());
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

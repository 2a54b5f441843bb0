//! `fetch-all simulate`: these tests need no site and no network.

use std::fs;

use crate::support::*;

const MODEL: &str = r#"
[[host]]
name = "a.test"
urls = 300
latency = "10ms..50ms"
unavailable = "10%"

[[host]]
name = "b.test"
urls = 100
latency = { mean = "20ms" }
capacity = { workers = 2, queue = 5 }
"#;

fn json(arguments: &[&str]) -> serde_json::Value {
    let ran = fetch_all(&[&["simulate", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn without_a_model_the_example_is_simulated() {
    let ran = fetch_all(&["simulate"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for part in [
        "the built-in example",
        "shop.test",
        "20000 URLs",
        "per URL",
        "█",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn the_same_seed_gives_the_same_output() {
    let list = List::new(MODEL);
    let model = list.path("list");
    let run = |seed, form: &[&str]| {
        let picture = list.path("run.svg");
        let options = [
            "simulate", "--model", &model, "--seed", seed, "--plot", &picture,
        ];
        let ran = fetch_all(&[&options, form].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        (ran.stdout, fs::read(picture).unwrap())
    };
    for form in [&["--json"][..], &[]] {
        assert_eq!(run("5", form), run("5", form));
        assert_ne!(run("5", form), run("6", form));
    }
}

#[test]
fn the_report_counts_every_url_and_every_request() {
    let list = List::new(MODEL);
    let report = json(&["--model", &list.path("list"), "--retry", "1", "-j", "20"]);
    assert_eq!(report["fetches"], 400);
    let hosts = report["hosts"].as_array().unwrap();
    let names: Vec<_> = hosts.iter().map(|host| &host["name"]).collect();
    assert_eq!(names, ["a.test", "b.test"]);
    let sum: u64 = hosts
        .iter()
        .map(|host| host["requests"].as_u64().unwrap())
        .sum();
    assert_eq!(report["requests"], sum);
    assert!(sum > 400);
    assert!(hosts[0]["answers"]["unavailable"].as_u64().unwrap() > 0);
    assert!(report["max_in_flight"].as_u64().unwrap() <= 20);
}

#[test]
fn options_have_the_same_effect_as_in_a_real_run() {
    let list = List::new(MODEL);
    let model = list.path("list");
    let with = |options: &[&str]| json(&[&["--model", &model], options].concat());
    assert_eq!(with(&["--retry", "0"])["retries"], 0);
    assert!(with(&["--retry", "4"])["retries"].as_u64().unwrap() > 0);
    let slow = with(&["--host-rate", "10/s", "--retry", "0"]);
    assert!(slow["took_us"].as_u64().unwrap() >= 29_900_000);
    assert_eq!(with(&["--per-host", "1"])["max_in_flight_per_host"], 1);
    let cut = fetch_all(&["simulate", "--model", &model, "--deadline", "0.1"]);
    assert_eq!(cut.code, 20);
    assert!(
        cut.stdout.contains("100 ms of virtual time"),
        "{}",
        cut.stdout
    );
    assert!(cut.stdout.contains("cancelled"), "{}", cut.stdout);
}

#[test]
fn urls_and_hosts_override_the_model() {
    let list = List::new(MODEL);
    let model = list.path("list");
    let report = json(&["--model", &model, "--urls", "1000", "--hosts", "3"]);
    assert_eq!(report["fetches"], 1000);
    let hosts = report["hosts"].as_array().unwrap();
    assert_eq!((hosts.len(), &hosts[0]["name"]), (6, &"1.a.test".into()));
    assert_eq!(hosts[0]["fetches"], 250);
}

#[test]
fn a_list_is_simulated_and_its_malformed_lines_are_reported() {
    let model = List::new("[default]\nstalls = \"100%\"\n[[host]]\nname = \"a.test\"\n");
    let urls = List::new("http://a.test/1\nno url\n# comment\nhttp://other.test/\n");
    let (model, urls) = (model.path("list"), urls.path("list"));
    let options = [
        "simulate", "--json", "--model", &model, "-i", &urls, "--retry", "0",
    ];
    let ran = fetch_all(&options);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains(":2: contains a space"),
        "{}",
        ran.stderr
    );
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["outcomes"]["ok"], 1);
    assert_eq!(report["outcomes"]["timeout_attempt"], 1);
}

#[test]
fn model_errors_have_line_column_text_and_fix() {
    let host = "[[host]]\nname = \"a.test\"\n";
    for (line, parts) in [
        (
            "latncy = \"5s\"",
            &[":3:1: latncy: ", "unknown field", "`latency`"][..],
        ),
        (
            "latency = \"fast\"",
            &[":3:11: \"fast\": ", "\"10ms..80ms\""],
        ),
        ("latency = 5", &[":3:11: 5: ", "\"20ms\""]),
        ("latency = \"9ms..1ms\"", &[":3:11: ", "write it second"]),
        (
            "latency = { mean = \"1s\", max = \"2s\" }",
            &[":3:11: ", "do not make one latency"],
        ),
        (
            "latency = { median = \"2s\", p99 = \"1s\" }",
            &[":3:11: ", "do not rise"],
        ),
        ("errors = \"0.55%\"", &[":3:10: \"0.55%\": ", "\"0.5%\""]),
        (
            "errors = \"60%\"\nstalls = \"60%\"",
            &[":4:10: \"60%\": ", "more than 100%"],
        ),
        ("throttle = \"100\"", &[":3:12: \"100\": ", "50/s"]),
        ("burst = 5", &[":3:9: 5: ", "throttle = "]),
        (
            "capacity = { workers = 0, queue = 1 }",
            &[":3:24: 0: ", "1 or more"],
        ),
        ("bandwidth = \"1M\"", &[":3:13: \"1M\": ", "body = "]),
        ("hosts = 0", &[":3:9: 0: ", "from 1 to 1000"]),
        (
            "[[host.outage]]\nfrom = \"9s\"\nuntil = \"8s\"\nhow = \"stall\"",
            &[":5:9: \"8s\": ", "after `from`"],
        ),
        (
            "[[host.outage]]\nfrom = \"1s\"\nuntil = \"8s\"\nhow = \"sleep\"",
            &[":6:7: \"sleep\": ", "`refuse`"],
        ),
        (
            "[[host.outage]]\nfrom = \"1s\"\nuntil = \"8s\"\nhow = \"stall\"\nretry_after = \"1s\"",
            &[":6:7: \"stall\": ", "\"503\""],
        ),
        (
            "[[host]]\nname = \"a.test\"",
            &[":4:8: \"a.test\": ", "write another"],
        ),
        (
            "[[host]]\nname = \"http://b/\"",
            &[":4:8: \"http://b/\": ", "without scheme"],
        ),
        ("[[host]]\nurls = 5", &[":3:1: [[host]]: ", "name"]),
        ("[default]\nurls = 5", &[":4:8: 5: ", "[[host]]"]),
        ("latency = ", &[":3:"]),
    ] {
        let list = List::new(format!("{host}{line}\n"));
        let ran = fetch_all(&["simulate", "--model", &list.path("list")]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (2, ""),
            "{line}: {}",
            ran.stderr
        );
        for part in parts {
            assert!(ran.stderr.contains(part), "{line}: {part}: {}", ran.stderr);
        }
    }
}

#[test]
fn unusable_files_are_named() {
    let ran = fetch_all(&["simulate", "--model", "/nowhere.toml"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("--model /nowhere.toml"),
        "{}",
        ran.stderr
    );
    let ran = fetch_all(&["simulate", "--urls", "9", "--plot", "/nowhere/x.svg"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("--plot /nowhere/x.svg"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_subcommand_has_its_own_help() {
    let own = fetch_all(&["simulate", "--help"]).stdout;
    for part in [
        "--model <FILE>",
        "[[host.outage]]",
        "--concurrency",
        "--plot",
    ] {
        assert!(own.contains(part), "{part}: {own}");
    }
    assert!(fetch_all(&["--help"]).stdout.contains("simulate"));
}

//! Configuration file, environment, man page and completions.

use std::fs;

use crate::support::*;

#[test]
fn command_line_overrides_environment_overrides_file() {
    let site = site();
    let list = List::new(
        "user-agent = 'file'\nreferer = 'file'\nrange = '0-1'\nheader = ['X-A: 1', 'X-B: 2']\n",
    );
    let mut command = command(&[
        "--config",
        &list.path("list"),
        "-A",
        "line",
        &site.url("/get"),
    ]);
    command
        .env("FETCH_ALL_REFERER", "environment")
        .env("FETCH_ALL_USER_AGENT", "environment");
    command.env("FETCH_ALL_HEADER", "X-C: 3");
    let ran = ran(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = site.last_request("/get").unwrap();
    for (name, value) in [
        ("user-agent", Some("line")),
        ("referer", Some("environment")),
        ("range", Some("bytes=0-1")),
        ("x-a", None),
        ("x-c", Some("3")),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
}

#[test]
fn the_default_config_file_is_read_unless_no_config() {
    let (site, list) = (site(), List::new(""));
    fs::create_dir(list.file("fetch-all")).unwrap();
    fs::write(list.file("fetch-all/config.toml"), "user-agent = 'mine'").unwrap();
    let agent = |options: &[&str]| {
        let mut command = command(&[options, &[&site.url("/get")]].concat());
        command.env("XDG_CONFIG_HOME", list.dir.path());
        assert_eq!(ran(command.output().unwrap()).code, 0);
        site.last_request("/get")
            .unwrap()
            .header("user-agent")
            .unwrap()
            .to_owned()
    };
    assert_eq!(agent(&[]), "mine");
    assert!(agent(&["--no-config"]).starts_with("fetch-all/"));
}

#[test]
fn the_config_file_is_named_by_environment_or_command_line() {
    let site = site();
    let list = List::new("user-agent = 'one'");
    fs::write(list.file("other"), "user-agent = 'two'").unwrap();
    let agent = |options: &[&str]| {
        let mut command = command(&[options, &[&site.url("/get")]].concat());
        command.env("FETCH_ALL_CONFIG", list.file("list"));
        let ran = ran(command.output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        let seen = site.last_request("/get").unwrap();
        seen.header("user-agent").unwrap().to_owned()
    };
    assert_eq!(agent(&[]), "one");
    assert_eq!(agent(&["--config", &list.path("other")]), "two");
}

#[test]
fn options_that_conflict_with_a_stronger_source_are_dropped() {
    let site = site();
    let list = List::new("silent = true\ntar-count = 3\ndata = 'x'\n");
    let (file, bodies) = (list.path("list"), list.path("bodies"));
    let verbose = fetch_all(&[
        "--config",
        &file,
        "--tar",
        &bodies,
        "-v",
        "-I",
        &site.url("/get"),
    ]);
    assert_eq!(verbose.code, 0, "{verbose:?}");
    let missing = fetch_all(&["--config", &file, &site.url("/get")]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("--tar") && missing.stderr.contains(&file),
        "{missing:?}"
    );
}

#[test]
fn config_errors_are_reported_before_anything_is_sent() {
    let (site, list) = (site(), List::new("max-tme = 3\n"));
    let url = site.url("/get");
    let ran_with = fetch_all(&["--config", &list.path("list"), &url]);
    assert_eq!(ran_with.code, 2);
    assert!(
        ran_with.stderr.contains("list:1:1: max-tme: ") && ran_with.stderr.contains("max-time?"),
        "{ran_with:?}"
    );
    assert_eq!(fetch_all(&["--config", &list.path("none"), &url]).code, 3);
    let mut command = command(&[&url]);
    command.env("FETCH_ALL_MAX_TIME", "soon");
    let ran = ran(command.output().unwrap());
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("FETCH_ALL_MAX_TIME: \"soon\": "),
        "{ran:?}"
    );
    assert_eq!(site.hits("/get"), 0);
}

#[test]
fn print_config_shows_sources_and_can_be_read_again() {
    let list = List::new("user = 'me:secret'\nrate = '5/s'\nhttp1_1 = false\n");
    let file = list.path("list");
    let line = [
        "--config",
        &file,
        "-m",
        "3",
        "--http1.1",
        "-H",
        "X-A: 1",
        "--print-config",
    ];
    let printed = fetch_all(&line);
    assert_eq!(printed.code, 0, "{printed:?}");
    for part in [
        "# concurrency = 100  # default\n",
        "max-time = 3  # command line\n",
        &format!("rate = \"5/s\"  # {file}\n"),
        "user = \"REDACTED\"  # ",
        "header = [\"X-A: 1\"]  # command line\n",
    ] {
        assert!(printed.stdout.contains(part), "{part}: {}", printed.stdout);
    }
    assert!(printed.stderr.contains("chmod 600"), "{}", printed.stderr);
    fs::write(
        list.file("again"),
        printed.stdout.replace("REDACTED", "a:b"),
    )
    .unwrap();
    let again = fetch_all(&["--config", &list.path("again"), "--print-config"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn generate_prints_man_page_and_completions() {
    for (kind, part) in [
        ("man", ".TH fetch-all 1"),
        ("complete-bash", "--max-time"),
        ("complete-zsh", "#compdef fetch-all"),
        ("complete-fish", "complete -c fetch-all"),
        ("complete-powershell", "Register-ArgumentCompleter"),
        ("complete-elvish", "fetch-all"),
    ] {
        let ran = fetch_all(&["--generate", kind]);
        assert_eq!(
            (ran.code, ran.stdout.contains(part)),
            (0, true),
            "{kind}: {ran:?}"
        );
    }
}

#[test]
fn the_long_version_lists_features() {
    let (short, long) = (fetch_all(&["-V"]), fetch_all(&["--version"]));
    assert_eq!(short.stdout.lines().count(), 1);
    assert!(short.stdout.starts_with("fetch-all "), "{short:?}");
    assert!(long.stdout.contains("features: "), "{long:?}");
}

//! Command lines as people type them: curl's habits, words that are no options, refusals.

use std::fs;

use crate::support::*;

#[test]
fn flags_are_combined_and_the_last_of_a_repeated_option_counts() {
    let site = site();
    let url = site.url("/get");
    let ran = fetch_all(&["-fsSL", "-m", "0.001", "-Aone", "-Atwo", "-m5", "-Z", &url]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("user-agent"), Some("two"));
    let ran = fetch_all(&["--fail", "--no-fail", &site.url("/status/404")]);
    assert_eq!(ran.code, 0, "--no-fail switches it off");
    let mut command = command(&["--no-fail", &site.url("/status/404")]);
    command.env("FETCH_ALL_FAIL", "true");
    assert_eq!(crate::support::ran(command.output().unwrap()).code, 0);
}

#[test]
fn short_options_are_those_of_curl() {
    let (site, list) = (site(), List::new("machine 127.0.0.1 login me password p"));
    let url = site.url("/get");
    let jar = list.path("jar");
    fs::create_dir(list.file("home")).unwrap();
    fs::copy(list.file("list"), list.file("home/.netrc")).unwrap();
    let mut command = command(&["-n", "-c", &jar, "-r", "-500", &url]);
    command.env("HOME", list.file("home"));
    let ran = ran(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("range"), Some("bytes=-500"));
    assert_eq!(seen.header("authorization"), Some("Basic bWU6cA=="));
    assert!(list.file("jar").exists());
}

#[test]
fn urls_without_scheme_are_http() {
    let site = site();
    let whole = site.url("/get");
    let host = whole.strip_prefix("http://").unwrap();
    let url = fetch_all(&[host]).record()["url"].clone();
    assert_eq!(url, whole.as_str());
    let local = host.replace("127.0.0.1", "localhost");
    assert_eq!(fetch_all(&[&local]).code, 0);
    assert_eq!(fetch_all(&["--url", host]).code, 0);
    assert_eq!(fetch_all(&["--", host]).code, 0);
    assert_eq!(site.hits("/get"), 4);
}

#[test]
fn the_first_word_may_be_a_command_and_after_two_dashes_it_is_a_host() {
    let ran = fetch_all(&["policy"]);
    assert!(ran.stderr.contains("policy <COMMAND>"), "{ran:?}");
    let ran = fetch_all(&[
        "--retry",
        "0",
        "--resolve",
        "policy:80:127.0.0.1",
        "--",
        "policy",
    ]);
    assert_eq!(ran.record()["url"], "http://policy");
}

#[test]
fn what_is_refused_names_what_to_write() {
    for (line, expected) in [
        (
            &["example"][..],
            "example: neither a URL nor a command: write http://example",
        ),
        (&["simulat"], "did you mean simulate?"),
        (&["-v", "policy"], "fetch-all policy"),
        (&["urls.txt"], "write -i urls.txt"),
        (&["-O", "page.html", "a.test"], "-O takes no name"),
        (
            &["-O", "dir/x", "http://a.test/"],
            "-O dir/x: write --output-dir dir --name-template x",
        ),
        (&["-nc", "http://a.test/"], "-nc: write --skip-existing"),
        (&["-T", "10", "a.test"], "-T 10: write -m 10"),
        (&["-T10s", "a.test"], "-T 10s: write -m 10"),
        (&["-e", "robots=off", "a.test"], "--robots only"),
        (&["/tmp/x", "a.test"], "/tmp/x: write -i /tmp/x"),
        (&["-"], "-: write -i -"),
        (&["\u{2013}silent"], "write -silent or --silent"),
        (&["-i", "http://a.test"], "URLs without -i"),
        (
            &["-o", "page.html", "a.test"],
            "-o page.html: write -O or --output-dir DIR",
        ),
        (&["-o", "page.PNG", "a.test"], "--format"),
        (&["-o", "a.zip", "a.test"], "--output-dir"),
        (&["-o", "-s", "a.test"], "'-s': an option, not a path"),
        (&["--next"], "--next: write a list of rows"),
        (&["-:"], "-:: write a list of rows"),
        (&["--limit-rate", "1k"], "--limit-rate: write --rate"),
        (&["-P", "dir"], "-P: write --output-dir DIR"),
        (&["--max-threads=8"], "--max-threads: write -j N"),
        (&["--url_list", "x"], "--url_list: write -i FILE"),
        (&["--output_dir", "x"], "did you mean --output-dir?"),
        (
            &["--silnt"],
            "--silnt: there is no such option: did you mean --silent?",
        ),
        (&["-help-me"], "Usage"),
        (&["-9"], "-9: there is no such option"),
        (
            &["--max-time"],
            "--max-time: its value is missing: write --max-time SECONDS",
        ),
        (&["--silent=x"], "--silent: takes no value"),
        (
            &["--host-max-wait", "-1"],
            "'-1': seconds cannot be negative",
        ),
        (&["policy", "chek"], "did you mean check?"),
        (&["simulate", "--hostz", "1"], "did you mean --hosts?"),
    ] {
        let ran = fetch_all(line);
        let text = format!("{}{}", ran.stderr, ran.stdout);
        assert!(text.contains(expected), "{line:?}: {text}");
        let is_help = text.contains("Usage");
        assert!(is_help || text.lines().count() == 1, "{line:?}: {text}");
        assert!(is_help || ran.code == 2, "{line:?}: {ran:?}");
    }
}

#[test]
fn the_ending_of_the_output_selects_the_format_of_records() {
    let (site, list) = (site(), List::new(""));
    for (name, start) in [
        ("a.csv", "v,id,"),
        ("a.har", "{\"log\""),
        ("a", "{\"v\""),
        ("a.txt", "{\"v\""),
    ] {
        let file = list.path(name);
        assert_eq!(
            fetch_all(&["-o", &file, &site.url("/get")]).code,
            0,
            "{name}"
        );
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(start), "{name}: {text}");
    }
    let page = list.path("page.html");
    let ran = fetch_all(&["-o", &page, "--format", "jsonl", &site.url("/get")]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_file_in_curls_syntax_is_read_in_its_place() {
    let site = site();
    let url = site.url("/get");
    let list = List::new(format!(
        "# comment\nurl = {url}\n--user-agent \"a \\\"b\\\"\"\nreferer: one\n-H \"X-A: 1\"\nfsS\n-sS\n"
    ));
    let broken = fetch_all(&["-K", &list.path("list")]);
    assert!(
        broken
            .stderr
            .contains("list:6: --fsS: there is no such option"),
        "{broken:?}"
    );
    let text = fs::read_to_string(list.file("list")).unwrap();
    fs::write(list.file("list"), text.replace("\nfsS\n", "\n")).unwrap();
    let ran = fetch_all(&["-e", "zero", "-K", &list.path("list"), "-e", "two"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("user-agent"), Some("a \"b\""));
    assert_eq!(
        (seen.header("referer"), seen.header("x-a")),
        (Some("two"), Some("1"))
    );
    let ran = fetch_all_stdin(&["-K", "-"], format!("url={url}\n").as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(site.hits("/get"), 2);
}

#[test]
fn errors_in_files_have_line_text_and_fix() {
    let list = List::new("");
    let path = list.path("list");
    for (text, expected) in [
        (
            "silent\nmax-time = soon\n",
            "list:2: max-time 'soon': not a number of seconds",
        ),
        (
            "header = X-A: 1\n",
            "list:1: header: a value with spaces: write it in double quotes",
        ),
        (
            "header = [\"X-A: 1\"]\n",
            "list:1: header: this is TOML: write --config FILE",
        ),
        ("silent = true\n", "list:1: silent: takes no value"),
        ("\nmax-time\n", "list:2: --max-time: its value is missing"),
        (
            "--max-tme 5\n",
            "list:1: --max-tme: there is no such option: did you mean --max-time?",
        ),
        (&format!("-K {path}\n"), "nested too deeply"),
    ] {
        fs::write(&path, text).unwrap();
        let ran = fetch_all(&["-K", &path, "http://127.0.0.1:1/"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{text}");
        assert!(ran.stderr.contains(expected), "{text}: {}", ran.stderr);
    }
    let none = fetch_all(&["-K", &list.path("none")]);
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("cannot be read"), "{none:?}");
    fs::write(&path, "silent\nurl = \"http://127.0.0.1:1/\"\n").unwrap();
    let toml = fetch_all(&["--config", &path]);
    assert!(toml.stderr.contains("write -K"), "{toml:?}");
}

#[test]
fn header_fields_come_from_files_and_replace_the_host() {
    let site = site();
    let list = List::new("X-A: 1\n\nX-B;\nAccept:\n");
    let file = format!("@{}", list.path("list"));
    let url = site.url("/get");
    let host = ["-H", "Host: other.test", "-H", "Connection: keep-alive"];
    assert_eq!(
        fetch_all(&[&["-H", &file][..], &host, &[&url]].concat()).code,
        0
    );
    let seen = site.last_request("/get").unwrap();
    for (name, value) in [
        ("x-a", Some("1")),
        ("x-b", Some("")),
        ("accept", None),
        ("host", Some("other.test")),
        ("connection", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    fs::write(list.file("list"), "X-A: 1\nsecret\n").unwrap();
    let wrong = fetch_all(&["-H", &file, &url]);
    assert!(
        wrong.stderr.contains("list: line 2: 'secret': no colon"),
        "{wrong:?}"
    );
    assert_eq!(fetch_all(&["-H", "@/none", &url]).code, 3);
    fetch_all(&["-H", "Connection: close", &url]);
    assert_eq!(
        site.last_request("/get").unwrap().header("connection"),
        Some("close")
    );
}

#[test]
fn an_empty_user_agent_or_referer_is_not_sent() {
    let site = site();
    let url = site.url("/get");
    assert_eq!(fetch_all(&["-A", "", "-e", "", &url]).code, 0);
    let seen = site.last_request("/get").unwrap();
    assert_eq!(
        (seen.header("user-agent"), seen.header("referer")),
        (None, None)
    );
}

#[test]
fn a_login_of_the_options_replaces_that_of_the_url() {
    let site = site();
    let url = site.url("/get").replace("://", "://me:p%40@");
    for (options, value) in [
        (&["-u", "you:q"][..], "Basic eW91OnE="),
        (&["-H", "Authorization: Own x"], "Own x"),
        (&["-u", ":"], "Basic Og=="),
        (&[], "Basic bWU6cEA="),
    ] {
        assert_eq!(fetch_all(&[options, &[&url]].concat()).code, 0);
        let seen = site.last_request("/get").unwrap();
        assert_eq!(seen.header("authorization"), Some(value), "{options:?}");
    }
}

#[test]
fn a_cookie_file_that_does_not_exist_starts_an_empty_jar() {
    let site = site();
    let set = site.url("/set-cookie?c=a%3D1%3B%20Path%3D/");
    let get = site.url("/get");
    let ran = fetch_all(&["-b", "none", "-j1", "-q", "-s", &set, &get]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert_eq!(
        site.last_request("/get").unwrap().header("cookie"),
        Some("a=1")
    );
    let ran = fetch_all(&["-b", "session", &get]);
    assert!(
        ran.code == 0 && ran.stderr.contains("NAME=VALUE"),
        "{ran:?}"
    );
}

#[test]
fn an_empty_proxy_is_none() {
    let site = site();
    let url = site.url("/get");
    let mut command = command(&["--retry", "0", "-x", "", &url]);
    command.env("http_proxy", "http://127.0.0.1:1");
    assert_eq!(ran(command.output().unwrap()).code, 0);
}

#[test]
fn numbers_are_refused_in_our_own_words() {
    for (option, value, part) in [
        ("--seed", "x", "not a whole number"),
        ("--max-errors", "0", "write 1 or more"),
        ("--tar-count", "-1", "not a whole number"),
        ("--progress-interval", "-5", "seconds cannot be negative"),
        ("--timeout", "5", "-m SECONDS for all URLs"),
    ] {
        let ran = fetch_all(&["--tar", "x", option, value, "http://127.0.0.1:1/"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains(part), "{option}: {}", ran.stderr);
    }
}

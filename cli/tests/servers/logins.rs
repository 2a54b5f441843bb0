//! Digest: what the command sends to Apache httpd, compared with curl.

use std::fmt::Write as _;
use std::fs;

use fetch_testbed::servers::{Program, RealServer, ServerTest};

use crate::support::{command, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "a_list_asks_for_digest_once",
        &[Program::Apache],
        a_list_asks_for_digest_once,
    ),
    ServerTest::new(
        "the_password_does_not_leave_its_origin",
        &[Program::Apache],
        the_password_does_not_leave_its_origin,
    ),
];

/// Pages of alice, whose password is "open sesame". The second port redirects to the first.
fn apache() -> RealServer {
    let apache = RealServer::start(Program::Apache, 2, |place| {
        format!(
            "LoadModule authn_core_module {m}/mod_authn_core.so\nLoadModule authn_file_module {m}/mod_authn_file.so\n\
             LoadModule authz_user_module {m}/mod_authz_user.so\nLoadModule auth_digest_module {m}/mod_auth_digest.so\n\
             LoadModule alias_module {m}/mod_alias.so\nListen 127.0.0.1:{first}\nListen 127.0.0.1:{second}\n\
             <VirtualHost *:{first}>\n<Location />\nAuthType Digest\nAuthName files\nAuthDigestProvider file\n\
             AuthUserFile {users}\nRequire valid-user\n</Location>\n</VirtualHost>\n\
             <VirtualHost *:{second}>\nRedirect / http://127.0.0.1:{first}/\n</VirtualHost>\n\
             LogFormat \"%{{local}}p %>s %{{Authorization}}i\" login\nCustomLog login.log login",
            first = place.ports[0],
            second = place.ports[1],
            users = place.file("users"),
            m = "/usr/lib/apache2/modules",
        )
    });
    let apache = apache.unwrap();
    // The hash of alice:files:open sesame.
    let users = "alice:files:c9b3abab011f7eaa3c2a4c640cf52592\n";
    fs::write(apache.place().file("users"), users).unwrap();
    apache.write_page("page", "hello").unwrap();
    apache
}

fn a_list_asks_for_digest_once() {
    let apache = apache();
    let mut list = String::new();
    for n in 0..100 {
        writeln!(list, "{}", apache.url(&format!("/page?n={n}"))).unwrap();
    }
    let file = apache.place().file("list");
    fs::write(&file, list).unwrap();
    for scheme in ["--digest", "--anyauth"] {
        let before = apache.access_log().len();
        let options = ["-i", &file, "-u", "alice:open sesame", scheme];
        let output = command(&options).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let records = parse_records(&output.stdout);
        assert_eq!(records.len(), 100);
        assert!(records.iter().all(|record| record["num_retries"] == 0));
        let requests = apache.access_log().len() - before;
        // One more for each thread that asks.
        assert!(
            (101..=104).contains(&requests),
            "{scheme}: {requests} requests"
        );
    }
}

fn the_password_does_not_leave_its_origin() {
    let apache = apache();
    let port = apache.place().ports[1];
    let url = format!("http://127.0.0.1:{port}/page");
    let options = [
        &*url,
        "-u",
        "alice:open sesame",
        "--anyauth",
        "-o",
        "/dev/null",
    ];
    let record = |more: &[&str]| {
        let output = command(&options).args(more).output().unwrap();
        let log = fs::read_to_string(apache.place().file("login.log")).unwrap();
        (output.status.code(), log)
    };
    let (_, log) = record(&[]);
    assert!(!log.contains("Digest"), "{log}");
    let (code, log) = record(&["--location-trusted"]);
    assert!(log.contains("Digest") && code == Some(0), "{log}");
}

//! Servers that reload their configuration under load.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::Duration;

use fetch_testbed::servers::{Program, RealServer, ServerTest, Signal};

use crate::support::{command, outcomes, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[ServerTest::new(
    "reloads_of_nginx_lose_no_get",
    &[Program::Nginx],
    reloads_of_nginx_lose_no_get,
)];

fn reloads_of_nginx_lose_no_get() {
    const URLS: usize = 5_000;
    let nginx = RealServer::start(Program::Nginx, 1, |place| {
        format!("server {{ listen 127.0.0.1:{}; }}", place.ports[0])
    })
    .unwrap();
    nginx.write_page("page", "hello").unwrap();
    let mut list = String::new();
    for n in 0..URLS {
        writeln!(list, "{}", nginx.url(&format!("/page?n={n}"))).unwrap();
    }
    let file = nginx.place().file("list");
    fs::write(&file, list).unwrap();

    let child = command(&["-i", &file, "--retry", "0"]).spawn().unwrap();
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(100));
        nginx.signal(Signal::SIGHUP).unwrap();
    }
    let output = child.wait_with_output().unwrap();

    let records = parse_records(&output.stdout);
    assert_eq!(outcomes(&records), [("ok".to_owned(), URLS)].into());
}

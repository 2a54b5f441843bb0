//! Large bodies, which are read as a stream.

use fetch_all::smol::{Fetcher, StreamExt};
use fetch_testbed::servers::{Program, RealServer, ServerTest};

pub(crate) const TESTS: &[ServerTest] = &[ServerTest::new(
    "a_body_over_64_mib_that_takes_longer_than_the_attempt_limit_is_streamed",
    &[Program::Nginx],
    a_body_over_64_mib_that_takes_longer_than_the_attempt_limit_is_streamed,
)];

fn a_body_over_64_mib_that_takes_longer_than_the_attempt_limit_is_streamed() {
    const SIZE: usize = 70 << 20;
    let nginx = RealServer::start(Program::Nginx, 1, |place| {
        let port = place.ports[0];
        format!("server {{ listen 127.0.0.1:{port}; limit_rate 9m; }}")
    })
    .unwrap();
    nginx.write_page("large", vec![7; SIZE]).unwrap();
    let bytes = smol::block_on(async {
        let fetcher = Fetcher::builder().build().unwrap();
        let mut response = fetcher.open(nginx.url("/large")).await.unwrap();
        let mut bytes = 0;
        while let Some(chunk) = response.body.next().await {
            bytes += chunk.unwrap().len();
        }
        bytes
    });
    assert_eq!(bytes, SIZE);
}

//! Where connections start, and the options of their sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fetch_all::driver::{
    AddressFamily, ConnectionStream, Connector, LocalAddress, OpenedConnection,
};
use fetch_testbed::{Certificate, Site};
use socket2::Socket;

use crate::harness::adapter::DynFetcher;
use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check, check_eq, check_ok, get_request, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Sockets",
    behaviours: behaviours![
        "connections start at a chosen local address" => local_address_is_used,
        "one family of addresses can be chosen" => address_family_is_used,
        "silent connections are checked by TCP keep-alive" => keep_alive_is_set,
        "Nagle's algorithm can be left on" => nodelay_can_be_switched_off,
        "connections can be opened by the caller" => callers_connections_are_used,
    ],
};

async fn local_address_is_used(context: &TestContext) -> CheckResult {
    let chosen = [127, 0, 0, 9].into();
    let fetcher = context
        .fetcher(|settings| settings.route.local_address = Some(LocalAddress::Address(chosen)))?;
    let local = connected_socket(&*fetcher).await?.local_addr()?.as_socket();
    check_eq("local address", local.map(|local| local.ip()), Some(chosen))
}

async fn address_family_is_used(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let url = format!("http://localhost:{}/get", site.address().port());
    for (family, connections) in [(AddressFamily::Ipv6, 0), (AddressFamily::Ipv4, 1)] {
        let fetcher = context.fetcher(|settings| {
            settings.route.address_family = family;
            settings.update_config(|config| {
                config.rules(fetch_all::PolicyRules::from_policy(
                    test_policy().attempts(1),
                ))
            });
        })?;
        let outcome = fetcher.fetch(get_request(&url)?).await;
        check_eq("success", outcome.result.is_ok(), connections == 1)?;
        check_eq("connections", site.observed().connections, connections)?;
    }
    Ok(())
}

async fn keep_alive_is_set(context: &TestContext) -> CheckResult {
    let fetcher = context.fetcher(|_| {})?;
    let socket = connected_socket(&*fetcher).await?;
    check_eq("keep-alive by default", socket.keepalive()?, false)?;
    let pause = Duration::from_secs(77);
    let fetcher = context.fetcher(|settings| settings.route.tcp_keepalive = Some(pause))?;
    let socket = connected_socket(&*fetcher).await?;
    check("keep-alive is on", socket.keepalive()?, "it is off")?;
    check_eq("pause", socket.tcp_keepalive_time()?, pause)
}

async fn nodelay_can_be_switched_off(context: &TestContext) -> CheckResult {
    let fetcher = context.fetcher(|_| {})?;
    let socket = connected_socket(&*fetcher).await?;
    check_eq("TCP_NODELAY by default", socket.tcp_nodelay()?, true)?;
    let fetcher = context.fetcher(|settings| settings.route.tcp_nodelay = false)?;
    let socket = connected_socket(&*fetcher).await?;
    check_eq("TCP_NODELAY", socket.tcp_nodelay()?, false)
}

/// Connects to one server, and notes for which hosts.
#[derive(Debug)]
struct Gateway {
    asked: Arc<Mutex<Vec<String>>>,
    server: SocketAddr,
}

impl Connector for Gateway {
    fn connect(&self, host: &str, port: u16) -> OpenedConnection {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(format!("{host}:{port}"));
        let connecting = smol::net::TcpStream::connect(self.server);
        Box::pin(async { Ok(Box::new(connecting.await?) as Box<dyn ConnectionStream>) })
    }
}

async fn callers_connections_are_used(context: &TestContext) -> CheckResult {
    let plain = Site::builder().record(true).start()?;
    let tls = Site::builder().tls(Certificate::Good).start()?;
    let ca = tls.ca_pem().unwrap_or_default();
    let urls = ["http://site.invalid/get", "https://localhost/get"];
    for (site, url, target) in [
        (&plain, urls[0], "site.invalid:80"),
        (&tls, urls[1], "localhost:443"),
    ] {
        let (asked, server) = (Arc::default(), site.address());
        let gateway = Gateway {
            asked: Arc::clone(&asked),
            server,
        };
        let fetcher = context.fetcher(|settings| {
            settings.route.connector = Some(Arc::new(gateway));
            settings.tls.ca_certificates.push(ca.into());
        })?;
        for _ in 0..3 {
            check_ok(&fetcher.fetch(get_request(url)?).await)?;
        }
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        check_eq("connections asked for", &asked[..], [target])?;
    }
    let seen = plain
        .last_request("/get")
        .expect("the request was recorded");
    check_eq("host", seen.header("host"), Some("site.invalid"))
}

/// The client's socket of the connection that the fetcher keeps to a separate site.
#[cfg(target_os = "linux")]
async fn connected_socket(fetcher: &dyn DynFetcher) -> Result<Socket, Mismatch> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let site = Site::start()?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    let process = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(Ok(number)) = entry?.file_name().to_str().map(str::parse) else {
            continue;
        };
        // Other checks close theirs meanwhile.
        let Ok(descriptor) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let socket = Socket::from(descriptor);
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
        if peer == Some(site.address()) {
            return Ok(socket);
        }
    }
    Err(Mismatch("the client has no connection to the site".into()))
}

/// Sockets of other code can be examined on Linux only.
#[cfg(not(target_os = "linux"))]
async fn connected_socket(_: &dyn DynFetcher) -> Result<Socket, Mismatch> {
    Err(Mismatch("this check needs Linux".into()))
}

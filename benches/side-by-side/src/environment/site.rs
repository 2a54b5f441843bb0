//! The server, in a separate process: nginx with one worker if it is installed, else the test site.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::environment::pinning::{self, PinnedCore};
use crate::environment::ports::SitePorts;

/// Sizes of the files that the server has, in bytes.
const BODY_SIZES: [usize; 2] = [1024, 1024 * 1024];

/// Addresses that nginx listens on beside 127.0.0.1. Each counts as a host.
pub(crate) const HOSTS: usize = 1_000;

/// A running server, which is stopped on drop.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    pub(crate) ports: SitePorts,
    child: Child,
}

impl ServerProcess {
    /// Starts the server on free ports.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server process")?;
        let stdout = child
            .stdout
            .take()
            .context("the server process has no output")?;
        let mut ports = String::new();
        BufReader::new(stdout).read_line(&mut ports)?;
        ensure!(
            !ports.is_empty(),
            "the server process ended before it printed its ports"
        );
        let ports = ports.parse()?;
        Ok(Self { ports, child })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // The server stops at the end of its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The server software and its version, for the document.
pub(crate) fn describe_server() -> String {
    let version = find_nginx().and_then(|nginx| Command::new(nginx).arg("-v").output().ok());
    match version {
        Some(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let version = text
                .trim()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("nginx {version}, one worker")
        }
        None => "fetch-testbed (nginx is not installed)".to_owned(),
    }
}

/// The loopback address of host `n`.
pub(crate) fn host_address(n: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from_be_bytes([127, 0, 1, 0]) + n as u32)
}

/// Serves until the end of standard input. [`ServerProcess::start`] starts a process that runs this.
pub(crate) fn serve() -> Result<()> {
    pinning::pin_to(PinnedCore::Site)?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    match find_nginx() {
        Some(nginx) => serve_with_nginx(&nginx),
        None => {
            let site = fetch_testbed::Site::builder().addresses(1).start()?;
            announce_ports(&SitePorts {
                http: site.address().port(),
                http2: 0,
                https: 0,
            })
        }
    }
}

/// Prints the ports and waits for the end of standard input.
fn announce_ports(ports: &SitePorts) -> Result<()> {
    println!("{ports}");
    io::stdout().flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// Whether nginx is installed.
pub(crate) fn has_nginx() -> bool {
    find_nginx().is_some()
}

fn find_nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs it in a directory that is only on root's path.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    places
        .map(|place| place.join("nginx"))
        .find(|file| file.is_file())
}

fn serve_with_nginx(nginx: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("bytes");
    fs::create_dir(&root)?;
    for body in BODY_SIZES {
        fs::write(root.join(body.to_string()), vec![b'x'; body])?;
    }
    let root = directory.path().join("coded");
    fs::create_dir(&root)?;
    for body in BODY_SIZES {
        fs::write(root.join(body.to_string()), compressed_text(body)?)?;
    }
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    fs::write(directory.path().join("cert.pem"), certified.cert.pem())?;
    let key = certified.signing_key.serialize_pem();
    fs::write(directory.path().join("key.pem"), key)?;
    let ports = free_ports()?;
    let file = directory.path().join("nginx.conf");
    fs::write(&file, nginx_config(directory.path(), &ports)?)?;
    let mut child = Command::new(nginx)
        .arg("-p")
        .arg(directory.path())
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start nginx")?;
    let served = await_port(ports.http).and_then(|()| announce_ports(&ports));
    child.kill()?;
    child.wait()?;
    served
}

/// Ports that are free now. nginx cannot report ports that the system chose for it.
fn free_ports() -> Result<SitePorts> {
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = [any()?, any()?, any()?];
    let port = |at: usize| listeners[at].local_addr().map(|address| address.port());
    Ok(SitePorts {
        http: port(0)?,
        http2: port(1)?,
        https: port(2)?,
    })
}

/// A text of this length, compressed. Like a web page, it compresses to about a quarter.
fn compressed_text(length: usize) -> io::Result<Vec<u8>> {
    let mut text = String::new();
    let mut seed = 1_u64;
    while text.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let _ = writeln!(text, "<li class=\"item\">{}</li>", seed >> 40);
    }
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(&text.as_bytes()[..length])?;
    coder.finish()
}

fn await_port(port: u16) -> Result<()> {
    for _ in 0..200 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("nginx does not listen after 4 s")
}

/// The configuration: one process, no log, and no limit on requests per connection.
fn nginx_config(directory: &Path, ports: &SitePorts) -> Result<String> {
    let mut text = String::from(
        "pid nginx.pid;\ndaemon off;\nmaster_process off;\nerror_log stderr crit;\nworker_rlimit_nofile 60000;\n\
         events { worker_connections 30000; }\nhttp {\naccess_log off;\nsendfile on;\ntcp_nopush on;\n\
         tcp_nodelay on;\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
         open_file_cache max=100;\n",
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{kind}_temp_path {kind};")?;
    }
    text.push_str("ssl_certificate cert.pem;\nssl_certificate_key key.pem;\n");
    let root = directory.display();
    for (port, protocol) in [(ports.https, "ssl"), (ports.http2, "ssl http2")] {
        let listen = format!("listen 127.0.0.1:{port} {protocol} backlog=8192;");
        writeln!(text, "server {{\nroot {root};\n{listen}\n}}")?;
    }
    let coded = "location /coded/ { add_header content-encoding gzip; }";
    let failing = "location /fail { return 503 \"not now\"; }";
    writeln!(text, "server {{\nroot {root};\n{coded}\n{failing}")?;
    let port = ports.http;
    let hosts = (0..HOSTS).map(host_address);
    for host in std::iter::once(Ipv4Addr::LOCALHOST).chain(hosts) {
        writeln!(text, "listen {host}:{port} backlog=8192;")?;
    }
    text.push_str("}\n}\n");
    Ok(text)
}

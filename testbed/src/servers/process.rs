//! A running server: start, signals, stop.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{kill, killpg};
use nix::unistd::Pid;

use super::configuration::ServerPlace;
use super::program::Program;

/// How long a server may take to listen or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. The drop kills it and removes its directory.
///
/// ```no_run
/// use fetch_testbed::servers::{Program, RealServer};
///
/// let nginx = RealServer::start(Program::Nginx, 1, |place| {
///     format!("server {{ listen 127.0.0.1:{}; location / {{ return 200 hello; }} }}", place.ports[0])
/// })?;
/// let url = nginx.url("/page");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RealServer {
    child: Option<Child>,
    place: ServerPlace,
    program: Program,
    _directory: tempfile::TempDir,
}

impl RealServer {
    /// Starts a program with `ports` free ports and a configuration. `configure` returns the part that the
    /// test needs: for nginx the content of the `http` block, for httpbin, moto and oidc-provider lines `NAME=VALUE`
    /// of the environment, for the others further lines. Waits until the
    /// first port accepts connections.
    ///
    /// # Errors
    ///
    /// The program is not installed, or does not listen within 30 s.
    pub fn start(
        program: Program,
        ports: usize,
        configure: impl FnOnce(&ServerPlace) -> String,
    ) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        // Some of the programs give up root's rights, and must reach their files all the same.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777))?;
        fs::create_dir(directory.path().join("www"))?;
        let place = ServerPlace {
            directory: directory.path().to_owned(),
            ports: free_ports(ports)?,
        };
        let own = configure(&place);
        let text = place.configuration(program, &own);
        fs::write(directory.path().join("server.conf"), text)?;
        let mut server = Self {
            child: None,
            place,
            program,
            _directory: directory,
        };
        server.start_again()?;
        Ok(server)
    }

    /// Starts the program again on the same ports, after [`kill`](Self::kill) or [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// It does not listen within 30 s.
    pub fn start_again(&mut self) -> io::Result<()> {
        let path = self.program.find().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not installed", self.program),
            )
        })?;
        let file = self.place.directory.join("server.conf");
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.place.directory.join("output.log"))?;
        let mut command = self.place.command(self.program, &path, &file);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Its processes form a group, so that all of them can be killed.
            .process_group(0);
        self.child = Some(command.spawn()?);
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok()?);
            if ended.is_some() || Instant::now() > end {
                let text = format!("{} does not listen: {}", self.program, self.output());
                return Err(io::Error::other(text));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The first port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.place.ports[0]
    }

    /// The directory and all ports.
    #[must_use]
    pub fn place(&self) -> &ServerPlace {
        &self.place
    }

    /// A URL on the first port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// Writes a file below the document root.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_page(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
        fs::write(self.place.directory.join("www").join(name), content)
    }

    /// The lines of the access log: for nginx `METHOD PATH STATUS CONNECTION BYTES`, for Apache httpd
    /// `METHOD PATH STATUS`.
    #[must_use]
    pub fn access_log(&self) -> Vec<String> {
        self.lines("access.log")
    }

    /// The lines of a file in the server's directory; none if it does not exist.
    #[must_use]
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read(self.place.directory.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().map(str::to_owned).collect()
    }

    /// What the program wrote to its outputs and its error log.
    #[must_use]
    pub fn output(&self) -> String {
        [self.lines("output.log"), self.lines("error.log")]
            .concat()
            .join("\n")
    }

    /// Sends a signal to the main process: for nginx QUIT stops it gracefully and HUP reloads its
    /// configuration; Apache httpd has WINCH and USR1, HAProxy USR1 and USR2.
    ///
    /// # Errors
    ///
    /// The process does not run.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill(self.pid()?, signal)?)
    }

    /// Waits until the main process has ended.
    ///
    /// # Errors
    ///
    /// It still runs after 30 s.
    pub fn wait(&mut self) -> io::Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let end = Instant::now() + PATIENCE;
        while child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err(io::Error::other(format!("{} does not end", self.program)));
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.child = None;
        Ok(())
    }

    /// Kills all its processes at once, with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            let _ = child.wait();
        }
    }

    fn pid(&self) -> io::Result<Pid> {
        let child = self.child.as_ref();
        let child =
            child.ok_or_else(|| io::Error::other(format!("{} does not run", self.program)))?;
        Ok(Pid::from_raw(child.id() as i32))
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports that are free now. Most of the programs cannot report a port that the system chose.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let any = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: Vec<_> = (0..count).map(any).collect::<Result<_, _>>()?;
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    listeners.iter().map(port).collect()
}

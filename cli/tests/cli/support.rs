//! Runs the command and reads its output.

#[path = "../common/command.rs"]
mod command;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;

use fetch_testbed::Site;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use self::command::command;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The records on stdout.
    pub(crate) fn records(&self) -> Vec<Value> {
        parse(&self.stdout)
    }

    /// The only record.
    pub(crate) fn record(&self) -> Value {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{self:?}");
        records.remove(0)
    }
}

/// JSON, a value on each line.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let value = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(value).collect()
}

pub(crate) fn fetch_all(arguments: &[&str]) -> Ran {
    ran(command(arguments).output().unwrap())
}

/// Runs with a text on stdin.
pub(crate) fn fetch_all_stdin(arguments: &[&str], text: &[u8]) -> Ran {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    ran(child.wait_with_output().unwrap())
}

pub(crate) fn ran(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A site that records its requests.
pub(crate) fn site() -> Site {
    Site::builder().record(true).start().unwrap()
}

/// A temporary directory with a file `list`.
pub(crate) struct List {
    pub(crate) dir: TempDir,
}

impl List {
    pub(crate) fn new(content: impl AsRef<[u8]>) -> Self {
        let list = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(list.file("list"), content).unwrap();
        list
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }
}

/// Serves connections one after another. Each stays open until the client closes it.
pub(crate) fn serve(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            answer(&mut socket);
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    address
}

/// Serves these answers, one after each read.
pub(crate) fn serve_answers(answers: &'static [&'static [u8]]) -> SocketAddr {
    serve(move |socket| {
        for answer in answers {
            let _ = std::io::Read::read(socket, &mut [0; 4096]);
            let _ = socket.write_all(answer);
        }
    })
}

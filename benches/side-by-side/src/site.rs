//! The site, in a process of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::core::{self, Core};

/// A running site; it ends with this value.
#[derive(Debug)]
pub(crate) struct Site {
    /// Scheme, host and port.
    pub(crate) base: String,
    child: Child,
}

impl Site {
    /// Starts a site on a port of its own.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the site's process")?;
        let stdout = child.stdout.take().context("the site has no output")?;
        let mut base = String::new();
        BufReader::new(stdout).read_line(&mut base)?;
        let base = base.trim_end().to_owned();
        ensure!(
            !base.is_empty(),
            "the site ended before it told its address"
        );
        Ok(Self { base, child })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until the end of standard input: the other side of [`Site::start`].
pub(crate) fn serve() -> Result<()> {
    core::pin(Core::Site)?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let site = fetch_testbed::Site::start()?;
    println!("{}", site.url(""));
    io::stdout().flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

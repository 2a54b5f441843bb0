//! The programs, and where they are installed.

use std::fmt;
use std::path::PathBuf;

/// A server or proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// Apache httpd.
    Apache,
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// Squid.
    Squid,
    /// Tinyproxy.
    Tinyproxy,
}

impl Program {
    /// The path of the program, if it is installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian installs servers in a directory that is only on root's path.
        let directories = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
        directories
            .map(|directory| directory.join(self.file_name()))
            .find(|file| file.is_file())
    }

    pub(super) const fn file_name(self) -> &'static str {
        match self {
            Self::Apache => "apache2",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Squid => "squid",
            Self::Tinyproxy => "tinyproxy",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

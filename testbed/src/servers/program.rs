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
    /// httpbin, a site that shows what it receives.
    Httpbin,
    /// moto, which answers as services of AWS do.
    Moto,
    /// nginx.
    Nginx,
    /// oidc-provider, a token server of OAuth 2, with a client for each way of authentication.
    OidcProvider,
    /// Redis, without files: nothing outlives it.
    Redis,
    /// Squid.
    Squid,
    /// Tinyproxy.
    Tinyproxy,
}

impl Program {
    /// The path of the program, if it is installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        match self {
            Self::Httpbin | Self::Moto => self.find_package(),
            Self::OidcProvider => self.library().and_then(|_| find_on_path("node")),
            _ => find_on_path(self.file_name()),
        }
    }

    /// The main file of a package of npm, in the directory in which `.ci/setup` installs it.
    pub(super) fn library(self) -> Option<PathBuf> {
        let directory = cache_directory()?.join("node/node_modules");
        let file = directory.join(self.file_name()).join("lib/index.js");
        file.is_file().then_some(file)
    }

    /// The interpreter of the virtual environment in which `.ci/setup` installs Python packages, if this
    /// one is among them.
    fn find_package(self) -> Option<PathBuf> {
        let directory = cache_directory()?.join("python");
        let installed = std::fs::read_to_string(directory.join("installed")).ok()?;
        let mut names = installed.split_whitespace();
        let is_installed = names.any(|one| one.split("==").next() == Some(self.file_name()));
        is_installed.then(|| directory.join("environment/bin/python"))
    }

    pub(super) const fn file_name(self) -> &'static str {
        match self {
            Self::Apache => "apache2",
            Self::Haproxy => "haproxy",
            Self::Httpbin => "httpbin",
            Self::Moto => "moto",
            Self::Nginx => "nginx",
            Self::OidcProvider => "oidc-provider",
            Self::Redis => "redis-server",
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

/// Where `.ci/setup` installs packages.
fn cache_directory() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    Some(caches.or_else(home)?.join("fetch-all-test-servers"))
}

fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs servers in a directory that is only on root's path.
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    directories
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

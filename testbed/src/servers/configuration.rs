//! What every configuration of a program contains, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::Program;

/// Where a server runs: its directory and its ports. Passed to the function that writes its configuration.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerPlace {
    /// The server's temporary directory. `www` in it is the document root.
    pub directory: PathBuf,
    /// Free ports on 127.0.0.1.
    pub ports: Vec<u16>,
}

impl ServerPlace {
    /// The path of a file in the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The whole configuration of `program`, with the part that the test wrote.
    pub(super) fn configuration(&self, program: Program, own: &str) -> String {
        let directory = self.directory.display();
        match program {
            Program::Apache => format!(
                "ServerRoot \"{directory}\"\nServerName 127.0.0.1\nPidFile apache.pid\nDefaultRuntimeDir {directory}\n\
                 User www-data\nGroup www-data\nErrorLog error.log\nLogLevel warn\nTypesConfig /etc/mime.types\n\
                 LoadModule mpm_event_module {m}/mod_mpm_event.so\nLoadModule authz_core_module {m}/mod_authz_core.so\n\
                 LoadModule mime_module {m}/mod_mime.so\nDocumentRoot \"{directory}/www\"\n\
                 LogFormat \"%m %U%q %>s\" short\nCustomLog access.log short\n{own}\n",
                m = "/usr/lib/apache2/modules",
            ),
            Program::Haproxy => format!(
                "global\n  maxconn 4000\n  stats socket {directory}/stats.sock level admin expose-fd listeners\n\
                 defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n{own}\n",
            ),
            // Lines `NAME=VALUE` of its environment.
            Program::Httpbin | Program::Moto | Program::OidcProvider => own.to_owned(),
            Program::Nginx => {
                let user = if is_root() { "user root;\n" } else { "" };
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {kind}_temp;\n"))
                    .concat();
                format!(
                    "{user}worker_processes 2;\npid nginx.pid;\ndaemon off;\nerror_log error.log warn;\n\
                     worker_rlimit_nofile 20000;\nevents {{ worker_connections 4000; }}\nhttp {{\n{temporary}\
                     log_format short '$request_method $request_uri $status $connection $body_bytes_sent';\n\
                     access_log access.log short;\nroot www;\ndefault_type text/plain;\n{own}\n}}\n",
                )
            }
            Program::Redis => format!(
                "bind 127.0.0.1\nport {}\ndir {directory}\nsave \"\"\nappendonly no\ndaemonize no\n{own}\n",
                self.ports[0],
            ),
            Program::Squid => format!(
                "pid_filename {directory}/squid.pid\ncache deny all\ncache_log {directory}/error.log\n\
                 access_log stdio:{directory}/access.log\ncoredump_dir {directory}\nshutdown_lifetime 1 seconds\n\
                 visible_hostname localhost\npinger_enable off\nnetdb_filename none\n{own}\n",
            ),
            Program::Tinyproxy => {
                let user = if is_root() {
                    "User nobody\nGroup nogroup\n"
                } else {
                    ""
                };
                format!(
                    "{user}Listen 127.0.0.1\nTimeout 60\nMaxClients 500\nLogFile \"{directory}/access.log\"\n\
                     LogLevel Connect\nPidFile \"{directory}/tinyproxy.pid\"\n{own}\n",
                )
            }
        }
    }

    /// The command that runs the program in the foreground.
    pub(super) fn command(&self, program: Program, path: &Path, configuration: &Path) -> Command {
        let mut command = Command::new(path);
        command.current_dir(&self.directory);
        match program {
            Program::Apache => command.args(["-D", "FOREGROUND", "-f"]).arg(configuration),
            // In master and worker mode a signal reloads the configuration without a lost connection.
            Program::Haproxy => command.args(["-W", "-f"]).arg(configuration),
            Program::Httpbin => command
                .args([
                    "-m",
                    "flask",
                    "--app",
                    "httpbin:app",
                    "run",
                    "--host",
                    "127.0.0.1",
                ])
                .args(["--port", &self.ports[0].to_string()])
                .envs(variables(configuration)),
            Program::Moto => command
                .args(["-m", "moto.server", "--host", "127.0.0.1"])
                .args(["--port", &self.ports[0].to_string()])
                .envs(variables(configuration)),
            Program::Nginx => command
                .arg("-p")
                .arg(&self.directory)
                .arg("-c")
                .arg(configuration),
            Program::OidcProvider => command
                .args(["-e", include_str!("oidc_provider.js")])
                .env("LIBRARY", program.library().unwrap_or_default())
                .env("PORT", self.ports[0].to_string())
                .envs(variables(configuration)),
            Program::Redis => command.arg(configuration),
            Program::Squid => command.args(["--foreground", "-f"]).arg(configuration),
            Program::Tinyproxy => command.args(["-d", "-c"]).arg(configuration),
        };
        command
    }
}

/// The lines `NAME=VALUE` of a file.
fn variables(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

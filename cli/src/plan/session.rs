//! Cookies, and the credentials of a netrc file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fetch_driver::{CookieJar, Settings};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::args::CliArgs;
use crate::display::sanitize;
use crate::exit::CliError;
use crate::input::netrc::NetrcLogins;
use crate::output::replace::{AtomicFile, FileAccess};

/// A cookie jar that is written to a file at the end.
pub(crate) struct CookieFile {
    file: AtomicFile,
    jar: CookieJar,
}

impl CookieFile {
    /// Replaces the file atomically. Only its owner can read it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(&self) -> Result<(), CliError> {
        let text = self.jar.to_netscape();
        self.file.write(text.as_bytes(), FileAccess::Owner)
    }
}

/// Puts cookies given as text into the field `Cookie` of every request, and those of files into a
/// jar.
///
/// # Errors
///
/// If a file cannot be used.
pub(super) fn set_cookies(
    args: &CliArgs,
    settings: &mut Settings,
    warnings: &mut Vec<String>,
) -> Result<Option<CookieFile>, CliError> {
    let session = &args.session;
    let (fields, files): (Vec<_>, Vec<_>) =
        session.cookie.iter().partition(|text| text.contains('='));
    if !fields.is_empty() {
        let pairs: Vec<_> = fields.iter().map(|text| text.trim()).collect();
        let value = HeaderValue::try_from(pairs.join("; "));
        let mut value = value.map_err(|_| {
            CliError::usage(
                "--cookie: not valid in a header field: remove control characters".to_owned(),
            )
        })?;
        value.set_sensitive(true);
        settings.headers.insert(COOKIE, value);
    }
    if files.is_empty() && session.cookie_jar.is_none() {
        return Ok(None);
    }
    let jar = CookieJar::new();
    for file in files.into_iter().filter(|file| !file.is_empty()) {
        load(&jar, file, session.cookie_jar.as_deref(), warnings)?;
    }
    settings.cookie_jar = Some(jar.clone());
    let target = session.cookie_jar.clone();
    let target = target.map(|path| AtomicFile::new("--cookie-jar", path));
    Ok(target.transpose()?.map(|file| CookieFile { file, jar }))
}

/// Loads a file into the jar. The file of `--cookie-jar` need not exist yet, nor, as in curl, another one:
/// `-b none` only stores cookies and sends them back.
fn load(
    jar: &CookieJar,
    file: &str,
    target: Option<&Path>,
    warnings: &mut Vec<String>,
) -> Result<(), CliError> {
    match fs::read_to_string(file) {
        Ok(text) => jar.load(&text).map_err(|why| {
            let form = "not a cookie file in Netscape format";
            CliError::usage(format!("--cookie {file}: {form}: {why}"))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if target != Some(Path::new(file)) && file != "none" {
                let file = sanitize(file.as_bytes());
                warnings.push(format!(
                    "--cookie {file}: there is no such file: starting without cookies; a cookie is \
                     written NAME=VALUE"
                ));
            }
            Ok(())
        }
        Err(error) => Err(CliError::file(format!(
            "--cookie {file}: cannot be read: {error}: a value without = is the name of a file"
        ))),
    }
}

/// Reads the netrc file, unless `-u` or `-H` set `Authorization` for every request.
///
/// # Errors
///
/// If the file cannot be read or parsed.
pub(super) fn read_netrc(
    args: &CliArgs,
    headers: &HeaderMap,
) -> Result<Option<NetrcLogins>, CliError> {
    let session = &args.session;
    let wanted = session.netrc || session.netrc_optional || session.netrc_file.is_some();
    if !wanted || headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let default_path = || {
        let named = std::env::var_os("NETRC").map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".netrc")))
    };
    let Some(path) = session.netrc_file.clone().or_else(default_path) else {
        return Err(CliError::usage(
            "--netrc: there is no $HOME: write --netrc-file FILE",
        ));
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if session.netrc_optional && error.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => {
            let path = path.display();
            let why = format!("--netrc: {path}: cannot be read: {error}");
            return Err(CliError::file(why));
        }
    };
    let logins = NetrcLogins::parse(&text);
    let logins =
        logins.map_err(|why| CliError::usage(format!("--netrc: {}:{why}", path.display())))?;
    Ok(Some(logins))
}

//! Cookies, and the credentials of a netrc file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fetch_driver::{CookieJar, Netrc, Settings};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::args::CliArgs;
use crate::display::{plural, sanitize};
use crate::exit::CliError;
use crate::output::replace::{AtomicFile, FileAccess};

/// The most lines of a file that are reported one by one.
const MAX_SKIPPED: usize = 5;

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
    pub(crate) fn write(&self, warn: impl FnOnce(&str)) -> Result<(), CliError> {
        let (text, left_out) = self.jar.to_netscape();
        if left_out > 0 {
            let cookies = plural(left_out, "cookie has a tab", "cookies have tabs");
            warn(&format!(
                "--cookie-jar: {cookies}, which the file cannot hold: left out"
            ));
        }
        self.file.write(&text, FileAccess::Owner)
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

/// Warns about the lines of a file that were skipped.
fn warn_skipped(file: &str, skipped: &[String], warnings: &mut Vec<String>) {
    let shown = skipped.iter().take(MAX_SKIPPED);
    warnings.extend(shown.map(|line| format!("{file}: {line}")));
    if let Some(more) = skipped
        .len()
        .checked_sub(MAX_SKIPPED)
        .filter(|more| *more > 0)
    {
        let lines = plural(more as u64, "more line was", "more lines were");
        warnings.push(format!("{file}: {lines} skipped"));
    }
}

/// Loads a file into the jar. The file of `--cookie-jar` need not exist yet, nor, as in curl, another one:
/// `-b none` only stores cookies and sends them back.
fn load(
    jar: &CookieJar,
    file: &str,
    target: Option<&Path>,
    warnings: &mut Vec<String>,
) -> Result<(), CliError> {
    match fs::read(file) {
        Ok(text) => {
            let skipped = jar.load(&text);
            warn_skipped(&format!("--cookie {file}"), &skipped, warnings);
            Ok(())
        }
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
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<Netrc>>, CliError> {
    let session = &args.session;
    let wanted = session.netrc || session.netrc_optional || session.netrc_file.is_some();
    if !wanted || headers.contains_key(AUTHORIZATION) || args.request.user.is_some() {
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
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if session.netrc_optional && error.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => {
            let path = path.display();
            return Err(CliError::file(format!(
                "--netrc: {path}: cannot be read: {error}: write --netrc-file FILE for another file, or \
                 --netrc-optional; wget's -nv is --no-progress, and its -np can be left out"
            )));
        }
    };
    let path = path.display();
    let (netrc, skipped) =
        Netrc::parse(&text).map_err(|why| CliError::usage(format!("--netrc: {path}: {why}")))?;
    warn_skipped(&format!("--netrc: {path}"), &skipped, warnings);
    Ok(Some(Arc::new(netrc)))
}

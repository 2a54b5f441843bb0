//! What every request has: method, header fields, body.

use std::fs;
use std::io::Read;

use base64::Engine as _;
use bytes::Bytes;
use fetch_proto::{Method, Rules};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};

use crate::args::Args;
use crate::exit::Stop;
use crate::input::Feed;

/// The method and the body.
pub(crate) fn feed(args: &Args) -> Result<Feed, Stop> {
    let request = &args.request;
    let (option, parts, separator) = match request.json.is_empty() {
        true => ("--data", &request.data, &b"&"[..]),
        false => ("--json", &request.json, &b""[..]),
    };
    let parts = parts.iter().map(|part| read(option, part, args));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let method = match &request.method {
        Some(method) => method.clone(),
        None if request.head => Method::Head,
        None if has_body(args) => Method::Post,
        None => Method::Get,
    };
    Ok(Feed {
        body: Bytes::from(parts.join(separator)),
        method,
        rules: Rules::default(),
    })
}

fn has_body(args: &Args) -> bool {
    !args.request.data.is_empty() || !args.request.json.is_empty()
}

/// A part of the body: the text, or what is in the file.
fn read(option: &str, part: &str, args: &Args) -> Result<Vec<u8>, Stop> {
    let Some(path) = part.strip_prefix('@') else {
        return Ok(part.as_bytes().to_vec());
    };
    let mut bytes = match path {
        "" => {
            return Err(Stop::usage(format!(
                "{option} @: no file: write {option} @FILE"
            )));
        }
        "-" => {
            let listed = args
                .input
                .input_file
                .iter()
                .any(|path| path.as_os_str() == "-");
            if listed || args.input.url.iter().any(|url| url == "@-") {
                return Err(Stop::usage(format!(
                    "{option} @- and -i -: stdin can be read only once"
                )));
            }
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        path => fs::read(path),
    }
    .map_err(|error| {
        Stop::file(format!(
            "{option} @{path}: cannot be read: {error}: check the name of the file"
        ))
    })?;
    if option == "--data" {
        bytes.retain(|byte| !b"\r\n\0".contains(byte));
    }
    Ok(bytes)
}

/// The fields that every request has: the defaults, those that other options imply, those of `-H`.
pub(crate) fn headers(args: &Args, headers: &mut HeaderMap) -> Result<(), Stop> {
    let request = &args.request;
    if !request.json.is_empty() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json.clone());
        headers.insert(ACCEPT, json);
    } else if !request.data.is_empty() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
    }
    if let Some(name) = &request.user_agent {
        let value = HeaderValue::try_from(name).map_err(|_| {
            Stop::usage(format!(
                "--user-agent {name:?}: no header field can hold this text"
            ))
        })?;
        headers.insert(USER_AGENT, value);
    }
    if let Some(user) = &request.user {
        let text = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(user)
        );
        let mut value = HeaderValue::try_from(text).map_err(Stop::internal)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for option in &request.header {
        // The first replaces a default, others of that name are added.
        headers.remove(&option.name);
    }
    for option in &request.header {
        if let Some(value) = &option.value {
            headers.append(option.name.clone(), value.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn args(options: &[&str]) -> Args {
        Args::try_parse_from(["fetch-all"].iter().chain(options)).unwrap()
    }

    fn fields(options: &[&str]) -> Vec<String> {
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers(&args(options), &mut map).unwrap();
        let mut all: Vec<_> = map
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn fields_replace_defaults_and_add_to_each_other() {
        assert_eq!(fields(&["-H", "Accept:"]), Vec::<String>::new());
        assert_eq!(
            fields(&["-H", "X-A: 1", "-H", "X-A: 2"]),
            ["accept: */*", "x-a: 1", "x-a: 2"]
        );
        assert_eq!(fields(&["-H", "accept: b"]), ["accept: b"]);
        assert_eq!(fields(&["-u", "a:b"])[1], "authorization: Basic YTpi");
    }

    #[test]
    fn data_makes_a_form_that_is_posted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        fs::write(&file, "b\n=\r\n2").unwrap();
        let from_file = format!("@{}", file.display());
        let feed = feed(&args(&["-d", "a=1", "-d", &from_file])).unwrap();
        assert_eq!(
            (feed.method, &feed.body[..]),
            (Method::Post, &b"a=1&b=2"[..])
        );
    }

    #[test]
    fn a_method_is_kept_whatever_the_body() {
        let feed = feed(&args(&["-X", "PUT", "--json", "{\"a\":", "--json", "1}"])).unwrap();
        assert_eq!(
            (feed.method, &feed.body[..]),
            (Method::Put, &b"{\"a\":1}"[..])
        );
    }
}

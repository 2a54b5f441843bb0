//! WARC 1.1 (ISO 28500:2017): requests and responses as archives keep them.
//!
//! Each outcome with a response adds two records: the response, and the request that it answers.
//! Of the request the head is written as it was meant, with the fields that all requests have but
//! those that are secret: what the connection added is not known. The response's head has the
//! fields as they came, written as HTTP/1.1 whatever the protocol was, which `WARC-Protocol` tells.
//! Its body is as it came after the chunks of HTTP/1.1 were joined (so `Transfer-Encoding` is kept
//! as `X-Archive-Orig-Transfer-Encoding`, as pywb does); it is not decoded, since with `--warc` no
//! compression is asked for, as GNU Wget does. What was cut short is not kept, so nothing is
//! `WARC-Truncated`.

mod block;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fetch_driver::{Outcome, Redacted, Response};
use fetch_proto::Method;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Version};

use super::Disk;
use super::spool::Body;
use block::{Block, record_id, request_head, response_head};

/// So many files of one name are looked for.
const MAX_FILES: u32 = 99_999;

/// An archive that grows.
#[derive(Debug)]
pub(super) struct Warc {
    disk: Arc<Disk>,
    file: Option<Segment>,
    /// What all requests have, without secrets.
    headers: HeaderMap,
    /// After so many bytes the next file is begun.
    limit: Option<u64>,
    /// The next number to look at.
    number: u32,
    path: PathBuf,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    /// Where the last complete record ends.
    size: u64,
    /// How much of that is durable.
    synced: u64,
}

impl Warc {
    /// # Errors
    ///
    /// If its first file cannot be made.
    pub(super) fn open(
        path: &Path,
        limit: Option<u64>,
        headers: &HeaderMap,
        disk: Arc<Disk>,
    ) -> Result<Self, String> {
        let mut headers = headers.clone();
        let secret: Vec<_> = headers
            .iter()
            .filter(|(name, value)| {
                let name = name.as_str();
                value.is_sensitive() || name.contains("auth") || name.contains("cookie")
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            headers.remove(name);
        }
        let mut warc = Self {
            disk,
            file: None,
            headers,
            limit,
            number: 0,
            path: path.to_owned(),
        };
        warc.segment()?;
        Ok(warc)
    }

    /// Adds a response and its request.
    ///
    /// # Errors
    ///
    /// If they cannot be written; the archive ends with the record before then.
    pub(super) fn append(
        &mut self,
        outcome: &Outcome,
        response: &Response,
        method: &Method,
        date: String,
        body: &Body,
    ) -> Result<(), String> {
        let (response_id, request_id) = (record_id(), record_id());
        let uri = Redacted(&response.url).to_string();
        let protocol = match response.version {
            Version::HTTP_2 => "h2",
            Version::HTTP_10 => "http/1.0",
            _ => "http/1.1",
        };
        let remote = outcome.connection.and_then(|connection| connection.remote);
        let mut common = vec![
            ("WARC-Target-URI", uri),
            ("WARC-Date", date),
            ("WARC-Protocol", protocol.to_owned()),
        ];
        common.extend(remote.map(|remote| ("WARC-IP-Address", remote.ip().to_string())));
        let answer = Block {
            body: Some(body),
            common: &common,
            head: response_head(response),
            kind: "response",
            media: "application/http;msgtype=response",
            own: vec![("WARC-Record-ID", response_id.clone())],
        };
        let ask = Block {
            body: None,
            common: &common,
            head: request_head(method, &response.url, &self.headers),
            kind: "request",
            media: "application/http;msgtype=request",
            own: vec![
                ("WARC-Record-ID", request_id),
                ("WARC-Concurrent-To", response_id),
            ],
        };
        self.put(&[answer, ask])
    }

    /// Makes durable what it has.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        match self.file.as_mut().map(|file| (file.sync(), file)) {
            Some((Err(error), file)) => Err(self.disk.fails(&file.path, &error)),
            _ => Ok(()),
        }
    }

    /// Writes records, all or none of them.
    fn put(&mut self, blocks: &[Block<'_>]) -> Result<(), String> {
        let zipped = self
            .path
            .extension()
            .is_some_and(|extension| extension == "gz");
        let segment = self.segment()?;
        match segment.write(blocks, zipped) {
            Ok(()) => Ok(()),
            Err(error) => {
                segment.cut();
                let path = segment.path.clone();
                Err(self.disk.fails(&path, &error))
            }
        }
    }

    /// The file to write to, which may be the next one.
    fn segment(&mut self) -> Result<&mut Segment, String> {
        let full = |file: &Segment| self.limit.is_some_and(|limit| file.size >= limit);
        if self.file.as_ref().is_none_or(full) {
            self.sync()?;
            let file = self.begin()?;
            self.file = Some(file);
            let name = self
                .file
                .as_ref()
                .map(|file| file.path.clone())
                .unwrap_or_default();
            let info = block::info(&name);
            self.put(&[info])?;
        }
        Ok(self.file.as_mut().expect("it was just opened"))
    }

    /// Opens the first of the names that is free: an archive is never overwritten.
    fn begin(&mut self) -> Result<Segment, String> {
        while self.number <= MAX_FILES {
            let path = numbered(&self.path, self.number);
            self.number += 1;
            // A pipe or a device is what it is.
            let special = path.metadata().is_ok_and(|there| !there.is_file());
            let opened = match special {
                true => OpenOptions::new().write(true).open(&path),
                false => OpenOptions::new().write(true).create_new(true).open(&path),
            };
            match opened {
                Ok(file) => {
                    return Ok(Segment {
                        file,
                        path,
                        size: 0,
                        synced: 0,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.disk.fails(&path, &error)),
            }
        }
        Err(format!(
            "{}: there are {MAX_FILES} of it: write another name",
            self.path.display()
        ))
    }
}

impl Segment {
    fn write(&mut self, blocks: &[Block<'_>], zipped: bool) -> io::Result<()> {
        let mut out = Counting {
            count: 0,
            out: BufWriter::with_capacity(64 << 10, &self.file),
        };
        for block in blocks {
            if zipped {
                // Each record is a member of its own, so that readers can begin at any.
                let mut member = GzEncoder::new(&mut out, Compression::default());
                block.write(&mut member)?;
                member.finish()?;
            } else {
                block.write(&mut out)?;
            }
        }
        out.flush()?;
        self.size += out.count;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        // A pipe or a device has nothing to make durable.
        if self.size > self.synced && self.file.metadata()?.is_file() {
            self.file.sync_data()?;
        }
        self.synced = self.size;
        Ok(())
    }

    /// Takes away the beginning of a record that could not be written.
    fn cut(&mut self) {
        let _ = self.file.set_len(self.size);
        let _ = self.file.seek(SeekFrom::Start(self.size));
    }
}

struct Counting<W> {
    count: u64,
    out: W,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `crawl.warc.gz`, then `crawl-00001.warc.gz` and so on.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, rest) = match name.find(".warc") {
        Some(at) if at > 0 => name.split_at(at),
        _ => (&*name, ""),
    };
    path.with_file_name(format!("{stem}-{number:05}{rest}"))
}

/// Copies all of `from` to each of these.
fn copy(mut from: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

//! Attaches partial bodies to requests.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use fetch_driver::{BodySink, BodyWriter, Request, ResponseHead, ResumePoint, Validator};
use fetch_proto::Method;
use http::header;

use super::{EarlierBytes, PartialBody, PartialStore};
use crate::mutex::lock;
use crate::outcome::checksum::hex;
use crate::save::ContinueAt;
use crate::save::spool::BodySpool;

impl PartialStore {
    /// The request with its sink, and with the position at which an earlier body continues. `file` is the
    /// path of the body's file, if its name is known.
    pub(in crate::save) fn attach(
        self: &Arc<Self>,
        request: Request,
        spool: Arc<BodySpool>,
        digest: [u8; 16],
        file: Option<PathBuf>,
    ) -> Request {
        let key = hex(&digest);
        let is_first = file.as_ref().is_some_and(|file| {
            let name = file.as_os_str().as_encoded_bytes();
            lock(&self.names).insert(xxhash_rust::xxh3::xxh3_128(name))
        });
        let can_continue =
            *request.method() == Method::Get && !request.headers_ref().contains_key(header::RANGE);
        let (mut earlier, mut point) = (None, None);
        // Whether the file is too short for the offset of the option.
        let mut is_short = false;
        if can_continue && let Some(info) = lock(&self.found).remove(&key) {
            point = Some(ResumePoint::new(
                info.length,
                Validator::parse(&info.validator),
            ));
            earlier = Some(EarlierBytes {
                path: self.directory.join(info.part),
                length: info.length,
                is_named: false,
                modified: None,
            });
        } else if can_continue
            && is_first
            && let Some(continues) = self.continues
            && let Some(path) = file
        {
            // Nothing is known about the file but its length, as in curl.
            let meta = fs::symlink_metadata(&path).ok();
            let found = meta.filter(|meta| meta.is_file() && meta.len() > 0);
            let length = match continues {
                ContinueAt::Length => found.as_ref().map(fs::Metadata::len),
                ContinueAt::Offset(offset) => Some(offset).filter(|offset| *offset > 0),
            };
            point = length.map(|length| ResumePoint::new(length, None));
            if let (Some(meta), Some(length)) = (found, length) {
                is_short = meta.len() < length;
                earlier = (!is_short).then(|| EarlierBytes {
                    path,
                    length,
                    is_named: true,
                    modified: meta.modified().ok(),
                });
            }
        }
        let request = request.save(Arc::new(PartialSink {
            earlier,
            key,
            replaces: self.continues.is_some() && is_first && !is_short,
            spool,
            store: self.clone(),
        }));
        match point {
            Some(point) => request.resume_from(point),
            None => request,
        }
    }
}

/// Receives the body of one request.
#[derive(Debug)]
struct PartialSink {
    earlier: Option<EarlierBytes>,
    key: String,
    replaces: bool,
    spool: Arc<BodySpool>,
    store: Arc<PartialStore>,
}

impl BodySink for PartialSink {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        let earlier = self.earlier.clone();
        let (earlier, outdated) = match head.offset > 0 {
            true => (earlier, None),
            false => (None, earlier.filter(|earlier| !earlier.is_named)),
        };
        let is_whole = head.offset == 0 || earlier.is_some();
        let changed = earlier
            .as_ref()
            .is_some_and(|earlier| earlier.has_changed(head));
        let partial = PartialBody {
            earlier,
            error: changed.then(|| {
                "the file was saved before the body last changed: remove it, to start over".into()
            }),
            is_described: false,
            key: self.key.clone(),
            last: Instant::now(),
            _live: self.store.live.clone(),
            outdated: outdated.map(|earlier| earlier.path),
            replaces: self.replaces,
            store: self.store.clone(),
            // A part without its beginning is no part that a later run continues.
            validator: head
                .validator
                .filter(|_| is_whole)
                .map(|validator| validator.to_string()),
        };
        Box::new(self.spool.start_partial(head, partial))
    }
}

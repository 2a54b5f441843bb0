//! The archives, and the responses of a fetch that they get.

use std::sync::MutexGuard;

use fetch_driver::Outcome;

use super::warc::{ArchivedExchange, WarcWriter};
use super::{BodyStore, tar};
use crate::mutex::lock;
use crate::outcome::row::RowAttachment;
use crate::outcome::saved_body::{SaveError, SavedBody};
use crate::output::record::RecordBuilder;

/// The archives, locked together, because their bodies have one order.
#[derive(Debug)]
pub(super) struct Archives {
    pub(super) tar: Option<tar::TarShards>,
    pub(super) warc: Option<WarcWriter>,
}

impl Archives {
    /// Makes both durable.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.warc.as_mut().map_or(Ok(()), |warc| warc.sync())?;
        self.tar.as_mut().map_or(Ok(()), |tar| tar.sync())
    }

    /// Completes the tar files, and makes the WARC file durable, which is complete after each record.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.warc.as_mut().map_or(Ok(()), |warc| warc.sync())?;
        self.tar.as_mut().map_or(Ok(()), |tar| tar.finish())
    }
}

impl BodyStore {
    /// Archives the redirects of a fetch that failed.
    pub(super) fn archive_redirects<'a>(
        &'a self,
        outcome: &Outcome,
        builder: &RecordBuilder,
        saved: &mut SavedBody,
        archives: &mut Option<MutexGuard<'a, Archives>>,
    ) -> Result<(), SaveError> {
        let Some(all) = &self.archives else {
            return Ok(());
        };
        if let Some(warc) = &mut archives.insert(lock(all)).warc {
            self.append(warc, outcome, builder, None)
                .map_err(SaveError::Write)?;
            saved.archived.warc = warc.end();
        }
        Ok(())
    }

    /// Adds the responses that redirect, then the last one, to the archive.
    pub(super) fn append(
        &self,
        warc: &mut WarcWriter,
        outcome: &Outcome,
        builder: &RecordBuilder,
        last: Option<ArchivedExchange<'_>>,
    ) -> Result<(), String> {
        let redirects = &outcome.redirect_responses;
        let method = RowAttachment::of(outcome).map_or(&self.method, |row| &row.method);
        let mut bodies = Vec::with_capacity(redirects.len());
        for redirect in redirects {
            let body = self.spool.spooled(None, redirect.response.body.clone());
            bodies.extend(body.take()?);
        }
        let attempt = |number| outcome.attempts.iter().find(|a| a.number == number);
        let first = outcome.attempts.first().map(|first| first.url.origin());
        let mut has_left = false;
        let hops = redirects.iter().zip(&bodies);
        let hops = hops.map(|(redirect, body)| {
            has_left |= first.as_ref() != Some(&redirect.response.url.origin());
            ArchivedExchange {
                body,
                connection: redirect.connection.clone(),
                date: builder.date(attempt(redirect.attempt)),
                has_lost_body: redirect.method != *method,
                is_complete: redirect.is_complete,
                method: &redirect.method,
                response: &redirect.response,
                // Once a redirect has left the first origin, no request has these fields.
                withheld: if has_left { &outcome.withheld } else { &[] },
            }
        });
        warc.append(&hops.chain(last).collect::<Vec<_>>())
    }
}

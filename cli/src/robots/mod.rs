//! What sites allow: requests wait for their site's robots.txt, and go on or are told of.

mod file;
mod sites;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use fetch_driver::Request;
use fetch_proto::Rules;
use fetch_smol::Fetcher;
use futures_lite::Stream;
use smol::{Executor, Timer};
use url::Url;

use crate::input::{RequestStream, SharedProgress};
use crate::outcome::origin::origin;
use crate::output::record::Told;
use crate::output::{Flushed, PATIENCE, Writer};
use file::RobotsFile;
use sites::RobotsCache;

/// So many requests wait for files at once; no more are taken meanwhile.
const MAX_WAITING: usize = 10_000;

/// So many files are fetched at once.
const MAX_FETCHING: usize = 1_000;

/// The requests that are to be fetched: all, or those that may pass the gate.
pub(crate) enum AdmittedRequests {
    All(RequestStream),
    Allowed(Box<RobotsGate>),
}

impl AdmittedRequests {
    pub(crate) fn new(requests: RequestStream, by: Option<RobotsContext>) -> Self {
        match by {
            Some(by) => Self::Allowed(Box::new(RobotsGate::new(requests, by))),
            None => Self::All(requests),
        }
    }
}

impl Stream for AdmittedRequests {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        match &mut *self {
            Self::All(requests) => Pin::new(requests).poll_next(cx),
            Self::Allowed(gate) => Pin::new(&mut **gate).poll_next(cx),
        }
    }
}

/// What the gate needs of the run.
pub(crate) struct RobotsContext {
    /// The name that robots.txt knows this program by.
    pub(crate) agent: String,
    pub(crate) executor: Arc<Executor<'static>>,
    pub(crate) fetcher: Fetcher,
    pub(crate) rules: Rules,
    pub(crate) shared: Arc<SharedProgress>,
    pub(crate) writer: Writer,
}

/// The requests that may pass.
pub(crate) struct RobotsGate {
    answers: Pin<Box<Receiver<(String, RobotsFile)>>>,
    by: RobotsContext,
    ended: bool,
    inner: RequestStream,
    passing: VecDeque<Request>,
    pause: Option<Timer>,
    sender: Sender<(String, RobotsFile)>,
    sites: RobotsCache,
    /// By site.
    waiting: HashMap<String, Vec<Request>>,
    waiting_count: usize,
}

impl RobotsGate {
    fn new(inner: RequestStream, by: RobotsContext) -> Self {
        let (sender, answers) = async_channel::unbounded();
        Self {
            answers: Box::pin(answers),
            by,
            ended: false,
            inner,
            passing: VecDeque::new(),
            pause: None,
            sender,
            sites: RobotsCache::default(),
            waiting: HashMap::new(),
            waiting_count: 0,
        }
    }

    /// Lets a request pass, or wait for its site's file, or tells that it may not.
    fn arrive(&mut self, request: Request) {
        let site = origin(request.url()).into_owned();
        match self.sites.get(&site) {
            Some(file) => {
                let told = file.refuses(request.url());
                self.decide(request, told);
            }
            None => {
                self.waiting_count += 1;
                if let Some(queue) = self.waiting.get_mut(&site) {
                    queue.push(request);
                    return;
                }
                self.ask(request.url());
                self.waiting.insert(site, vec![request]);
            }
        }
    }

    /// Fetches a site's file in a task of its own: it must go on while no request is asked for here.
    fn ask(&self, url: &Url) {
        let site = origin(url).into_owned();
        let (fetcher, agent) = (self.by.fetcher.clone(), self.by.agent.clone());
        let (rules, sender) = (self.by.rules.clone(), self.sender.clone());
        let task = async move {
            let file = RobotsFile::fetch(&fetcher, &rules, &site, &agent).await;
            let _ = sender.send((site, file)).await;
        };
        self.by.executor.spawn(task).detach();
    }

    /// Judges those that waited for this file.
    fn learn(&mut self, site: String, file: RobotsFile) {
        if let Some(delay) = file.crawl_delay() {
            self.by.fetcher.set_crawl_delay(&site, delay);
            if let Some(backlog) = &self.by.shared.backlog {
                backlog.set_delay(&site, delay);
            }
        }
        let waited = self.waiting.remove(&site).unwrap_or_default();
        self.waiting_count -= waited.len();
        let judged: Vec<_> = waited
            .into_iter()
            .map(|request| (file.refuses(request.url()), request))
            .collect();
        self.sites.insert(site, file);
        for (told, request) in judged {
            self.decide(request, told);
        }
    }

    /// Passes the request on, or tells why not.
    fn decide(&mut self, request: Request, told: Option<String>) {
        let Some(message) = told else {
            self.passing.push_back(request);
            return;
        };
        let shared = &self.by.shared;
        shared.urls.fetch_sub(1, Relaxed);
        if let Some(backlog) = &shared.backlog {
            backlog.leave(request.url());
        }
        shared.disallowed.fetch_add(1, Relaxed);
        self.by.writer.tell(&Told::Disallowed {
            message: &message,
            request: &request,
        });
    }

    fn has_room(&self) -> bool {
        self.waiting_count < MAX_WAITING && self.waiting.len() < MAX_FETCHING
    }

    /// Hands over what is told, as far as there is room; waits for that at the end.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            match self.by.writer.try_flush() {
                Flushed::Done | Flushed::Gone => return Poll::Ready(()),
                Flushed::Full => self.pause = Some(Timer::after(PATIENCE)),
            }
        }
    }
}

impl Stream for RobotsGate {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        loop {
            while let Poll::Ready(Some((site, file))) = self.answers.as_mut().poll_next(cx) {
                self.learn(site, file);
            }
            if let Some(request) = self.passing.pop_front() {
                return Poll::Ready(Some(request));
            }
            if self.by.writer.is_full() {
                std::task::ready!(self.poll_flush(cx));
            }
            if self.ended && self.waiting.is_empty() {
                return self.poll_flush(cx).map(|()| None);
            }
            if self.ended || !self.has_room() {
                return Poll::Pending;
            }
            match std::task::ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(request) => self.arrive(request),
                None => self.ended = true,
            }
        }
    }
}

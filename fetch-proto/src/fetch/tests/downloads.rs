//! Bodies that are saved or streamed.

mod limits;
mod resume;

use core::time::Duration;

use super::{SECOND, at, exact};
use crate::{
    Attempt, AttemptEnd, BodyDelivery, ContentRange, FailureKind, Fetch, FetchError, FetchOutcome,
    FetchRequest, FetchStep, GiveUpReason, HeadSummary, Input, Policy, PolicyPatch, PolicyRules,
    RepresentationSummary, ResumePoint, TimeLimit, Timeouts, TimeoutsPatch, Timestamp, Validator,
};

const MIB: u64 = 1 << 20;
const TAG: &str = "\"v1\"";

/// One fetch, driven by hand.
struct Script {
    fetch: Fetch,
    now: Timestamp,
}

impl Script {
    fn new(delivery: BodyDelivery, policy: Policy) -> Self {
        Self::of(request(delivery), policy)
    }

    fn of(request: FetchRequest, policy: Policy) -> Self {
        let fetch = Fetch::new(request, policy.into(), 0, at(0));
        Self { fetch, now: at(0) }
    }

    /// Waits for the next attempt and starts it.
    /// A fetch whose first attempt broke off after `received` bytes of a body of `length` bytes.
    fn broken_off(delivery: BodyDelivery, policy: Policy, length: u64, received: u64) -> Self {
        let mut script = Self::new(delivery, policy);
        let first = script.start();
        script.accept(&first, whole(length));
        script.body(&first, received);
        script.breaks(&first);
        script
    }

    fn start(&mut self) -> Attempt {
        loop {
            match self.fetch.poll(self.now) {
                FetchStep::Ready => return self.fetch.start(self.now).expect("it is ready"),
                FetchStep::Wait(Some(wake)) => self.now = wake.at,
                FetchStep::Abort(_) => {}
                other => panic!("no attempt: {other:?}"),
            }
        }
    }

    /// A response, whose body is accepted.
    fn accept(&mut self, attempt: &Attempt, head: HeadSummary) {
        self.head(attempt, head);
        let step = self.fetch.poll(self.now);
        assert_eq!(step, FetchStep::Accept(attempt.id));
    }

    fn head(&mut self, attempt: &Attempt, head: HeadSummary) {
        self.fetch.handle(attempt.id, Input::Head(head), self.now);
    }

    fn body(&mut self, attempt: &Attempt, bytes: u64) {
        let input = Input::Body { bytes };
        self.fetch.handle(attempt.id, input, self.now);
    }

    fn end(&mut self, attempt: &Attempt, result: Result<(), FailureKind>) {
        self.fetch.handle(attempt.id, Input::End(result), self.now);
    }

    fn breaks(&mut self, attempt: &Attempt) {
        self.end(attempt, Err(FailureKind::Io));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn outcome(&mut self) -> FetchOutcome {
        loop {
            match self.fetch.poll(self.now) {
                FetchStep::Done(outcome) => return outcome,
                FetchStep::Abort(_) => {}
                other => panic!("not done: {other:?}"),
            }
        }
    }

    fn is_waiting(&mut self) -> bool {
        matches!(self.fetch.poll(self.now), FetchStep::Wait(Some(_)))
    }
}

fn request(delivery: BodyDelivery) -> FetchRequest {
    FetchRequest::get("http://a.test/".parse().unwrap()).delivery(delivery)
}

fn representation(length: u64) -> RepresentationSummary {
    RepresentationSummary {
        content_length: Some(length),
        etag: Some(TAG.into()),
        ..RepresentationSummary::default()
    }
}

fn whole(length: u64) -> HeadSummary {
    HeadSummary::status(200).representation(representation(length))
}

fn rest(offset: u64, length: u64) -> HeadSummary {
    let mut found = representation(length - offset);
    found.content_range =
        ContentRange::parse(&alloc::format!("bytes {offset}-{}/{length}", length - 1));
    HeadSummary::status(206).representation(found)
}

fn is_aborted(step: &FetchStep) -> bool {
    matches!(step, FetchStep::Abort(_))
}

//! Leases of workers whose clocks differ and which stop at any time.

use core::time::Duration;
use std::vec::Vec;

use proptest::prelude::*;

use super::{LeaseAction, LeaseEnd, LeaseTable, LeaseTerms};
use crate::model::time::Timestamp;

const TTL: u64 = 40_000;

fn terms() -> LeaseTerms {
    LeaseTerms::new(Duration::from_millis(TTL))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::START + Duration::from_secs(seconds)
}

#[test]
fn a_lease_is_counted_from_before_the_request_for_it() {
    let mut leases = LeaseTable::new(terms());
    leases.insert(1, at(100)); // the answer came at 109 s
    assert!(leases.may_start(1, at(129)) && !leases.may_start(1, at(130)));
    assert_eq!(leases.poll(at(110)), LeaseAction::Extend);
    leases.extended(at(110), |_| true); // the answer came at 125 s
    assert!(leases.may_start(1, at(139)) && !leases.may_start(1, at(140)));
}

#[test]
fn one_extension_is_requested_at_a_time() {
    let mut leases = LeaseTable::new(terms());
    leases.insert(1, at(0));
    assert_eq!(leases.poll(at(10)), LeaseAction::Extend);
    assert_eq!(leases.poll(at(20)), LeaseAction::Wait(Some(at(35))));
    leases.extended(at(10), |_| true);
    assert_eq!(leases.poll(at(20)), LeaseAction::Extend);
}

#[test]
fn a_lease_that_was_given_during_an_extension_is_not_lost_by_it() {
    let mut leases = LeaseTable::new(terms());
    leases.insert(1, at(0));
    assert_eq!(leases.poll(at(10)), LeaseAction::Extend);
    leases.insert(2, at(11));
    leases.extended(at(10), |partition| partition == 1);
    assert_eq!(leases.poll(at(12)), LeaseAction::Wait(Some(at(20))));
    assert!(leases.may_start(2, at(12)));
}

#[test]
fn a_process_that_was_stopped_past_its_lease_starts_nothing_and_aborts() {
    let mut leases = LeaseTable::new(terms());
    leases.insert(1, at(0));
    leases.insert(2, at(1));
    assert!(!leases.may_start(1, at(60)));
    let abort = |partition| LeaseAction::Abort(partition, LeaseEnd::Unconfirmed);
    assert_eq!(leases.poll(at(60)), abort(1));
    assert_eq!(leases.poll(at(60)), abort(2));
    assert_eq!(leases.poll(at(60)), LeaseAction::Wait(None));
    // An answer that was on the way does not bring them back.
    leases.extended(at(59), |_| true);
    assert!(leases.is_empty());
}

/// One partition, whose queue gives it to another worker `TTL` after the last extension. Times in ms.
#[derive(Default)]
struct FakeQueue {
    owner: Option<usize>,
    until: u64,
}

struct FakeWorker {
    clock_offset: u64,
    /// An extension that was requested: when, whether the queue has answered with success.
    extension: Option<(u64, Option<bool>)>,
    leases: LeaseTable,
    /// Until when the process does not run.
    stopped_until: u64,
}

impl FakeWorker {
    fn now(&self, real: u64) -> Timestamp {
        Timestamp::START + Duration::from_millis(self.clock_offset + real)
    }

    /// Whether the process would start an attempt.
    fn may_start(&self, real: u64) -> bool {
        real >= self.stopped_until && self.leases.may_start(0, self.now(real))
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A worker asks for the partition.
    Lease(usize),
    /// The queue receives a worker's request for an extension.
    Receive(usize),
    /// A worker receives the answer.
    Answer(usize),
    /// An answer or a request is lost.
    Lose(usize),
    /// A worker does not run for so many milliseconds.
    Stop(usize, u64),
    /// A worker does what is due.
    Poll(usize),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let worker = 0..3_usize;
    let step = prop_oneof![
        3 => worker.clone().prop_map(Step::Lease),
        6 => worker.clone().prop_map(Step::Receive),
        6 => worker.clone().prop_map(Step::Answer),
        1 => worker.clone().prop_map(Step::Lose),
        1 => (worker.clone(), 0..2 * TTL).prop_map(|(worker, time)| Step::Stop(worker, time)),
        8 => worker.prop_map(Step::Poll),
    ];
    (0..TTL / 6, step)
}

proptest! {
    #[test]
    fn no_two_workers_may_start_attempts_of_a_partition(
        steps in prop::collection::vec(step(), 1..300),
        offsets in prop::array::uniform3(0..1_000_000_u64),
    ) {
        let mut real = 0;
        let mut queue = FakeQueue::default();
        let mut workers: Vec<_> = offsets.iter().map(|offset| FakeWorker {
            clock_offset: *offset,
            extension: None,
            leases: LeaseTable::new(terms()),
            stopped_until: 0,
        }).collect();
        for (pause, step) in steps {
            real += pause;
            let is_free = queue.owner.is_none() || queue.until <= real;
            match step {
                Step::Receive(index) => {
                    let is_owner = queue.owner == Some(index);
                    if let Some((_, answer @ None)) = &mut workers[index].extension {
                        *answer = Some(is_owner);
                        if is_owner {
                            queue.until = real + TTL;
                        }
                    }
                }
                Step::Stop(index, time) => workers[index].stopped_until = real + time,
                Step::Lease(index) | Step::Answer(index) | Step::Lose(index) | Step::Poll(index)
                    if workers[index].stopped_until > real =>
                {
                    let _ = index; // it does not run
                }
                Step::Lease(index) => {
                    if is_free && workers[index].leases.is_empty() {
                        let now = workers[index].now(real);
                        workers[index].leases.insert(0, now);
                        queue = FakeQueue { owner: Some(index), until: real + TTL };
                    }
                }
                Step::Answer(index) => {
                    if let Some((requested, Some(is_kept))) = workers[index].extension {
                        let requested = workers[index].now(requested);
                        workers[index].leases.extended(requested, |_| is_kept);
                        workers[index].extension = None;
                    }
                }
                Step::Lose(index) => {
                    if workers[index].extension.take().is_some() {
                        let now = workers[index].now(real);
                        workers[index].leases.extension_failed(now);
                    }
                }
                Step::Poll(index) => {
                    let now = workers[index].now(real);
                    loop {
                        match workers[index].leases.poll(now) {
                            LeaseAction::Extend => {
                                workers[index].extension = Some((real, None));
                            }
                            LeaseAction::Abort(..) => {}
                            LeaseAction::Wait(_) => break,
                        }
                    }
                }
            }
            let starters = workers.iter().filter(|worker| worker.may_start(real)).count();
            prop_assert!(starters <= 1, "{starters} workers at {real} ms");
        }
    }
}

#[test]
fn the_invariant_needs_the_time_before_the_request() {
    // Counted from the answer, a worker would start attempts after the queue has given the partition away.
    let mut leases = LeaseTable::new(terms());
    leases.insert(1, at(15)); // given at 0 s, received at 15 s
    let queue_gives_to_another = at(40);
    assert!(leases.may_start(1, queue_gives_to_another));
}

#[test]
fn innocent_urls_are_not_set_aside() {
    let mut history = super::DeliveryHistory::default();
    (0..7).for_each(|_| history.claimed());
    // The worker was killed while URL 4 was in flight alone, for another reason.
    history.started_alone(4);
    history.claimed();
    assert!(history.suspects().eq([4]));
    history.started_alone(4);
    history.committed(|url| url == 4);
    assert!(!history.is_one_by_one());
    history.claimed();
    assert_eq!(history.suspects().count() + history.set_aside().count(), 0);
}

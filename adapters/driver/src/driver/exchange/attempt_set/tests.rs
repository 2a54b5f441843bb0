use futures_lite::future::{block_on, pending, poll_fn, yield_now};

use super::*;

type BoxedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl PollAttempt for BoxedFuture {
    type Update = ();

    fn poll(self: Pin<&mut Self>, (): &mut (), cx: &mut Context<'_>) -> Poll<()> {
        Future::poll(self, cx)
    }
}

fn woken(attempts: &mut AttemptSet<BoxedFuture>) -> Vec<usize> {
    block_on(poll_fn(|cx| attempts.poll_woken(cx, true)))
}

fn poll_all(attempts: &mut AttemptSet<BoxedFuture>, list: &[usize]) {
    for index in list {
        attempts.poll(*index, &mut ());
    }
}

fn busy() -> BoxedFuture {
    Box::pin(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
}

fn quiet() -> BoxedFuture {
    Box::pin(pending())
}

#[test]
fn only_woken_futures_are_polled_until_done() {
    let mut attempts = AttemptSet::new();
    let soon: BoxedFuture = Box::pin(yield_now());
    let (a, b) = (attempts.insert(quiet()), attempts.insert(soon));
    assert_eq!(woken(&mut attempts), [a, b]);
    assert_eq!(
        (attempts.poll(a, &mut ()), attempts.poll(b, &mut ())),
        (AttemptPoll::Pending, AttemptPoll::Pending)
    );
    assert_eq!(woken(&mut attempts), [b]);
    assert_eq!(attempts.poll(b, &mut ()), AttemptPoll::Ready);
}

#[test]
fn busy_futures_are_polled_in_turn_if_no_other_is_woken() {
    let mut attempts = AttemptSet::new();
    let [a, b, c] = [0, 1, 2].map(|_| attempts.insert(busy()));
    let quiet_one = attempts.insert(quiet());
    let mut rounds = Vec::new();
    for _ in 0..4 {
        rounds.push(woken(&mut attempts));
        poll_all(&mut attempts, &rounds[rounds.len() - 1]);
    }
    assert_eq!(
        rounds,
        [vec![a, b, c, quiet_one], vec![a], vec![b], vec![c]]
    );
    // The owner looks for others first.
    let cx = Context::from_waker(Waker::noop());
    assert!(attempts.poll_woken(&cx, false).is_pending() && attempts.is_busy());
    attempts.slots[quiet_one].waker.wake_by_ref();
    assert_eq!(woken(&mut attempts), [quiet_one]);
    // One that is removed is not polled, and its slot has no turn left.
    attempts.remove(c);
    poll_all(&mut attempts, &[quiet_one]);
    assert_eq!(woken(&mut attempts), [a]);
    poll_all(&mut attempts, &[a]);
    assert_eq!(attempts.insert(quiet()), c);
    assert_eq!([woken(&mut attempts), woken(&mut attempts)], [[c], [b]]);
}

#[test]
fn a_busy_future_has_its_turn_however_often_others_are_woken() {
    let mut attempts = AttemptSet::new();
    let others: Vec<_> = (0..8).map(|_| attempts.insert(quiet())).collect();
    let busy = attempts.insert(busy());
    let (mut polls, mut busy_polls) = (0, 0);
    while polls < 10 * OTHERS_PER_BUSY {
        let list = woken(&mut attempts);
        polls += list.len();
        busy_polls += list.iter().filter(|index| **index == busy).count();
        poll_all(&mut attempts, &list);
        for other in &others {
            attempts.slots[*other].waker.wake_by_ref();
        }
    }
    assert!((9..=11).contains(&busy_polls), "{busy_polls}");
}

#[test]
fn a_future_is_busy_until_it_has_not_woken_itself_for_a_while() {
    let mut attempts = AttemptSet::new();
    let mut polls = 0;
    let once: BoxedFuture = Box::pin(poll_fn(move |cx| {
        polls += 1;
        if polls == 1 {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }));
    let (once, other) = (attempts.insert(once), attempts.insert(quiet()));
    let mut lists = Vec::new();
    for _ in 0..=BUSY_POLLS + 1 {
        for index in [once, other] {
            attempts.slots[index].waker.wake_by_ref();
        }
        let mut list = woken(&mut attempts);
        poll_all(&mut attempts, &list);
        if list == [other] {
            let rest = woken(&mut attempts);
            poll_all(&mut attempts, &rest);
            list.extend(rest);
        }
        lists.push(list);
    }
    let (last, while_busy) = lists[1..].split_last().unwrap();
    assert!(while_busy.iter().all(|list| *list == [other, once]));
    assert_eq!(*last, [once, other]);
}

#[test]
fn no_wake_is_lost_among_many_threads() {
    const SLOTS: usize = 20;
    let mut attempts: AttemptSet<BoxedFuture> = AttemptSet::new();
    for _ in 0..SLOTS {
        attempts.insert(Box::pin(pending()));
    }
    let slots = attempts.slots.iter();
    let wakers: Vec<_> = slots.map(|slot| slot.waker.clone()).collect();
    for _ in 0..200 {
        // Each slot is woken by one of four threads, and all slots by the fifth.
        let threads = (0..5).map(|thread| {
            let mine = move |(i, _): &(usize, &Waker)| thread == 4 || i % 4 == thread;
            let wakers = wakers.clone();
            std::thread::spawn(move || {
                let wakers = wakers.iter().enumerate().filter(mine);
                wakers.for_each(|(_, waker)| waker.wake_by_ref());
            })
        });
        let threads: Vec<_> = threads.collect();
        // If a wake were lost, this would wait for ever.
        let mut polled = [0; SLOTS];
        while polled.contains(&0) {
            let list = woken(&mut attempts);
            for index in &list {
                polled[*index] += 1;
                attempts.poll(*index, &mut ());
            }
            attempts.recycle(list);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        let mut rest = Vec::new();
        attempts.take_woken(&mut rest);
        for index in rest {
            polled[index] += 1;
            attempts.poll(index, &mut ());
        }
        // At most one poll per wake; in the first round the insertion counts as one, too.
        assert!(polled.iter().all(|polls| *polls <= 3), "{polled:?}");
    }
}

#[test]
fn a_panic_is_reported_and_its_slot_is_reused() {
    let mut attempts: AttemptSet<BoxedFuture> = AttemptSet::new();
    let index = attempts.insert(Box::pin(async { panic!("broken") }));
    assert_eq!(woken(&mut attempts), [index]);
    let polled = attempts.poll(index, &mut ());
    assert_eq!(polled, AttemptPoll::Panicked("broken".to_owned()));
    assert_eq!(attempts.insert(Box::pin(async {})), index);
}

#[test]
fn a_removed_future_is_dropped_at_once() {
    use std::sync::atomic::AtomicBool;

    struct DropFlag(Arc<AtomicBool>);
    impl Drop for DropFlag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = DropFlag(dropped.clone());
    let mut attempts: AttemptSet<BoxedFuture> = AttemptSet::new();
    let index = attempts.insert(Box::pin(async move {
        let _flag = flag;
        pending::<()>().await;
    }));
    attempts.remove(index);
    assert!(dropped.load(Ordering::SeqCst));
}

//! Ids of other engines, and fetches that go to other processes.

use std::sync::Arc;

use super::*;
use crate::{InputEffect, Shard, Timeouts};

#[test]
fn the_id_of_another_engine_is_refused() {
    let new = |index| {
        let mut engine = Engine::new(EngineConfig::default(), 7, at(0));
        engine.set_shard(Shard { index, count: 2 });
        engine
    };
    let (mut one, mut other) = (new(0), new(1));
    let url = |shard| {
        let urls = (0..).map(|n| format!("http://{n}.test/").parse().unwrap());
        let mut urls = urls.filter(|url| Shard::owner_of(url, 2) == shard);
        FetchRequest::get(urls.next().unwrap())
    };
    let (id, _) = (
        one.submit(url(0), at(0)).unwrap(),
        other.submit(url(1), at(0)),
    );
    let EngineOutput::Start(attempt) = one.poll(at(0)) else {
        panic!("nothing starts");
    };
    assert_eq!(other.cancel(id, at(0)), InputEffect::Stale);
    let end = Input::End(Ok(()));
    assert_eq!(other.handle(attempt.id, end, at(0)), InputEffect::Stale);
    assert!(other.export_fetch(id, at(0)).is_none());
    assert_eq!(one.cancel(id, at(0)), InputEffect::Applied);
}

#[cfg(feature = "serde")]
#[test]
fn a_transfer_to_another_process_keeps_what_is_left_of_each_limit() {
    let config = EngineConfig::default();
    // The old process has run for 1,000 s, the new one for 1 s.
    let (start, later) = (at(1_000_000), at(1_040_000));
    let mut old = Engine::new(config.clone(), 7, start);
    old.set_shard(Shard { index: 0, count: 2 });
    let urls = (0..).map(|n| format!("http://{n}.test/"));
    let mut urls = urls.filter(|url| Shard::owner_of(&url.parse().unwrap(), 2) == 1);
    let policy = Policy::default().timeouts(Timeouts {
        queue: Some(Duration::from_secs(60)),
        ..Timeouts::DEFAULT
    });
    let request = FetchRequest::get(urls.next().unwrap().parse().unwrap()).policy(Arc::new(policy));
    old.submit(request, start).unwrap();
    let EngineOutput::Transfer { id, .. } = old.poll(start) else {
        panic!("it stays");
    };
    let transfer = old.export_fetch(id, later).unwrap();
    let text = serde_json::to_string(&transfer).unwrap();
    let transfer = serde_json::from_str(&text).unwrap();
    let mut new = Engine::new(config, 7, at(1_000));
    new.pause_starts();
    new.import_fetch(transfer, at(1_000)).unwrap();
    let EngineOutput::Idle(idle) = new.poll(at(1_000)) else {
        panic!("it is not idle");
    };
    // It has waited for 40 s of the 60 s.
    assert_eq!(idle.wake.unwrap().at, at(21_000));
}

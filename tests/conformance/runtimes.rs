//! The adapter and the runtime it is used on.

use fetch_testbed::Site;
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, Difference, collect, end, fine, get, same};

pub(crate) const GROUP: Group = Group {
    name: "Runtimes",
    behaviours: behaviours![
        "the short form" => short_form,
        "works outside its runtime" => outside,
        "many fetchers at once" => many,
    ],
};

async fn short_form(bench: &Bench) -> Check {
    let site = Site::start()?;
    let urls = vec![site.url("/get"), site.url("/status/404")];
    let outcomes = collect((bench.backend.short_form)(urls)).await;
    let ends: Vec<_> = outcomes.iter().map(end).collect();
    same("ends", ends, ["200", "404"])
}

/// On a thread that no runtime knows, both forms work, or both say why not.
async fn outside(bench: &Bench) -> Check {
    let backend = bench.backend;
    let thread = std::thread::spawn(move || {
        let site = Site::start()?;
        let bench = Bench::new(backend);
        let built = bench.client(|_| {}).map(|client| {
            let request = get(site.url("/get"));
            request.map(|request| smol::block_on(client.fetch(request)))
        });
        let short = smol::block_on((backend.short_form)(vec![site.url("/get")]).next());
        let short = short.ok_or_else(|| Difference("no outcome".into()))?;
        match built {
            Ok(outcome) => fine(&outcome?).and_then(|()| fine(&short)),
            Err(difference) if short.to_string().contains(&difference.0) => Err(difference),
            Err(difference) => same("the short form", short.to_string(), difference.0),
        }
    });
    thread
        .join()
        .unwrap_or_else(|_| Err(Difference("it panics".into())))
}

async fn many(bench: &Bench) -> Check {
    let site = Site::start()?;
    let clients: Vec<_> = (0..10)
        .map(|_| bench.client(|_| {}))
        .collect::<Result<_, _>>()?;
    for client in &clients {
        fine(&client.fetch(get(site.url("/get"))?).await)?;
    }
    same("connections", site.observed().connections, 10_u64)
}

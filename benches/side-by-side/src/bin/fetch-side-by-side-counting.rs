//! The same program, but it counts what it allocates, and tells it at last: how often. The one that
//! measures times starts it, for it would be slowed down by counting.

use std::process::Termination;

#[cfg(target_os = "linux")]
mod counting {
    use std::alloc::System;

    use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

    #[global_allocator]
    static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

    pub(crate) fn tell() {
        let stats = ALLOCATOR.stats();
        // Memory that grows is allocated anew.
        println!("{}", stats.allocations + stats.reallocations);
    }
}

fn main() -> impl Termination {
    let result = fetch_side_by_side::run();
    #[cfg(target_os = "linux")]
    counting::tell();
    result
}

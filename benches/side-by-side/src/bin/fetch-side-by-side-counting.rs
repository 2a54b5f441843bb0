//! The same program, but it counts what it allocates, and tells it at last: how often. The one that
//! measures times starts it, for it would be slowed down by counting.

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    let result = fetch_side_by_side::run();
    let stats = ALLOCATOR.stats();
    // Memory that grows is allocated anew.
    println!("{}", stats.allocations + stats.reallocations);
    result
}

/// The other program does not run there.
#[cfg(not(target_os = "linux"))]
fn main() {}

//! The same program with an allocator that counts. It prints the number of allocations at the end.
//! It is separate because counting would slow down the program that measures times.

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    let result = fetch_side_by_side::run();
    let stats = ALLOCATOR.stats();
    // A reallocation counts as an allocation.
    println!("{}", stats.allocations + stats.reallocations);
    result
}

/// The measurements need Linux.
#[cfg(not(target_os = "linux"))]
fn main() {}

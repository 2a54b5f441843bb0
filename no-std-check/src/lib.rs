//! Shows that `fetch-proto` needs no std, with all its features: this library has its own panic handler and
//! its own allocator. If any dependency linked std, there would be two panic handlers, which is an error.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use core::panic::PanicInfo;

use fetch_proto::{
    Engine, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input, Timestamp,
};
use linked_list_allocator::LockedHeap;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Runs one fetch. Returns whether it ended with a response.
pub extern "C" fn run_fetch() -> bool {
    let now = Timestamp::START;
    let mut engine = Engine::new(EngineConfig::default(), 7, now);
    let Ok(url) = "http://a.test/".parse() else {
        return false;
    };
    if engine.submit(FetchRequest::get(url), now).is_err() {
        return false;
    }
    loop {
        match engine.poll(now) {
            EngineOutput::Start(attempt) => {
                engine.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
                engine.handle(attempt.id, Input::End(Ok(())), now);
            }
            EngineOutput::Done(_, outcome) => return outcome.is_success(),
            EngineOutput::Idle(idle) if idle.live == 0 => return false,
            _ => {}
        }
    }
}

//! Every cookie file is loaded, and what is written from it can be loaded and written again.
#![no_main]

use fetch_driver::CookieJar;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let jar = CookieJar::new();
    let skipped = jar.load(file);
    assert!(skipped.iter().all(|line| line.starts_with("line ")));
    let (written, left_out) = jar.to_netscape();
    assert_eq!(left_out, 0, "cookies of a file can be written to one");
    let again = CookieJar::new();
    let skipped = again.load(&written);
    assert!(skipped.is_empty(), "{skipped:?} of {}", written.escape_ascii());
    assert_eq!(again.to_netscape().0, written);
});

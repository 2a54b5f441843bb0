//! There are dependencies of this script to be built, and nothing to be done.

fn main() {}

//! Fetches many URLs on smol.

//! Fetches many URLs.

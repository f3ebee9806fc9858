//! tmp
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
mod houses;
mod night;
#[path = "../support/mod.rs"]
mod support;

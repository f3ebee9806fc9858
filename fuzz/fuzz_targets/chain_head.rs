#![no_main]

#[path = "../claims/mod.rs"]
#[allow(dead_code, reason = "one target uses one claim")]
mod claims;

libfuzzer_sys::fuzz_target!(|input: &[u8]| claims::chain_head::holds(input));

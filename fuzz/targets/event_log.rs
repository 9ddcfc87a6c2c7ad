#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| parseye_fuzz_checks::event_log::check(input));

//! Any text as OTLP/JSON; the first byte chooses the signal.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_arrow_columns_fuzz::json(data));

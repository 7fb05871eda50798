//! Any text in the columns that are read back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_arrow_columns_fuzz::encode(data));

//! Any bytes as batches of OTAP on one stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_arrow_columns_fuzz::otap(data));

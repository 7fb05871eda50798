//! Any words, text and bytes as a step tape; the first four bytes say how much there is of the last two.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_arrow_columns_fuzz::steps(data));

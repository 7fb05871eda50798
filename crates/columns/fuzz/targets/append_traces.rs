//! Any bytes as a traces request: check, append, encode, and read that again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_arrow_columns_fuzz::append(otlp_arrow_columns::Signal::Traces, data));

//! The otlp-arrow command line as a library.

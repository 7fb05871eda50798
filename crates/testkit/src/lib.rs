//! Generators, fakes and clocks for the tests of otlp-arrow.

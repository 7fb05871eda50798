//! Words that stand for values: what a key takes that is one of a few. A word without a value, or a value without a word,
//! does not compile.

use otlp_arrow_store::settings::SealingCompression;

use crate::destinations::ForwardCompression;

/// A value that is written as one of a few words.
pub(crate) trait Choice: Copy + 'static {
    /// Each word and what it means, in the order of the documentation.
    const WORDS: &'static [(&'static str, &'static str)];
    /// What the words stand for, in the same order.
    const VALUES: &'static [Self];

    /// The word it is written as.
    fn word(self) -> &'static str;

    /// What `word` stands for.
    fn of(word: &str) -> Option<Self> {
        Self::VALUES.iter().copied().find(|value| value.word() == word)
    }
}

/// `choice!(Type, Value = "word" ("meaning"), …)`.
macro_rules! choice {
    ($type:ident, $($value:ident = $word:literal ($meaning:literal)),* $(,)?) => {
        impl $crate::config::choice::Choice for $type {
            const WORDS: &'static [(&'static str, &'static str)] = &[$(($word, $meaning)),*];
            const VALUES: &'static [Self] = &[$($type::$value),*];

            fn word(self) -> &'static str {
                match self { $($type::$value => $word),* }
            }
        }
    };
}
pub(crate) use choice;

choice!(ForwardCompression, None = "none"("not compressed"), Gzip = "gzip"("gzip"), Zstd = "zstd"("Zstandard"));

choice!(SealingCompression, Zstd = "zstd"("Zstandard"), None = "none"("not compressed"));

/// The words of `durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurabilityWord {
    Buffered,
    Written,
    Synced,
}

choice!(
    DurabilityWord,
    Buffered = "buffered"("in memory, on disk within write_interval"),
    Written = "written"("after write() returned: survives the end of the process"),
    Synced = "synced"("after fdatasync: survives a power cut"),
);

/// The words of `breaker.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StrategyWord {
    ConsecutiveFailures,
    FailureRate,
}

choice!(
    StrategyWord,
    ConsecutiveFailures = "consecutive_failures"("so many failures in a row"),
    FailureRate = "failure_rate"("so large a share of the requests in a window"),
);

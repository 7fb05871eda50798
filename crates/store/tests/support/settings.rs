//! Settings as a host program has them by default.

use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_store::settings::{Durability, Retention, Rotation, Sealing, SealingCompression, Settings};

pub fn settings(output_dir: impl Into<PathBuf>) -> Settings {
    let day = Duration::from_secs(24 * 3600);
    Settings {
        output_dir: output_dir.into(),
        durability: Durability::Written,
        commit_interval: Duration::from_millis(10),
        buffer_max_bytes: 128 << 20,
        request_max_bytes: 320 << 20,
        rotation: Rotation { max_bytes: 64 << 20, max_age: Duration::from_secs(900) },
        sealing: Sealing { compression: SealingCompression::Zstd, level: 1 },
        retention: Retention { max_age: PerSignal { traces: day, metrics: 7 * day, logs: day }, max_bytes: 4 << 30 },
        min_free_bytes: 256 << 20,
        makes_way: false,
        forms: Default::default(),
    }
}

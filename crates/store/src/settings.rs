//! What a store is told: checked already, by whoever parses a configuration.

use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;

use crate::file::form::Forms;

/// Everything a store is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the files go.
    pub output_dir: PathBuf,
    /// What an acknowledgement means.
    pub durability: Durability,
    /// How long a commit may wait for more data to share it with.
    pub commit_interval: Duration,
    /// Bytes of memory for data that is accepted and not yet committed.
    pub buffer_max_bytes: usize,
    /// Bytes of memory that one request may take where it is larger than the buffer allows; one such request at a time.
    pub request_max_bytes: usize,
    /// When a live file is closed.
    pub rotation: Rotation,
    /// The form of sealed files.
    pub sealing: Sealing,
    /// The forms that files of the directory may have.
    pub forms: Forms,
    /// When a file is deleted.
    pub retention: Retention,
    /// New data is refused when the file system would have fewer free bytes than this.
    pub min_free_bytes: u64,
    /// Whether the oldest files make way when it would, as long as the directory has more than a quarter of
    /// `retention.max_bytes`.
    pub makes_way: bool,
}

impl Settings {
    /// So much is free beyond `min_free_bytes` when files have made way.
    pub(crate) fn headroom(&self) -> u64 {
        self.retention.max_bytes / 16
    }

    /// How large the directory may be while the file system has `free` bytes and the directory `total`.
    pub(crate) fn most_bytes(&self, total: u64, free: u64) -> u64 {
        let most = self.retention.max_bytes;
        let lacking = self.min_free_bytes.saturating_add(self.headroom()).saturating_sub(free);
        if !self.makes_way || lacking == 0 {
            return most;
        }
        total.saturating_sub(lacking).clamp(most / 4, most)
    }
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Acknowledged in memory, written within the interval or when the buffer's size limit is reached.
    Buffered {
        /// The longest time accepted data stays in memory only.
        write_interval: Duration,
    },
    /// Acknowledged after `write` returned: survives the end of this process.
    Written,
    /// Acknowledged after `fdatasync`: survives a power cut.
    Synced,
}

/// The form of sealed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Compression of record batch bodies.
    pub compression: SealingCompression,
    /// Level of zstd.
    pub level: i32,
}

/// Compression of sealed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealingCompression {
    /// Zstandard.
    Zstd,
    /// None.
    None,
}

/// When a live file is closed, to be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes.
    pub max_bytes: u64,
    /// Age of its first record.
    pub max_age: Duration,
}

/// When a file is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age by signal.
    pub max_age: PerSignal<Duration>,
    /// Bytes of everything in the directory.
    pub max_bytes: u64,
}

impl Retention {
    /// The age after which files of `signal` are deleted.
    pub fn max_age(&self, signal: Signal) -> Duration {
        self.max_age[signal]
    }
}

#[cfg(test)]
impl Settings {
    /// Settings as a host program has them by default.
    pub(crate) fn sample(output_dir: &std::path::Path) -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            output_dir: output_dir.to_owned(),
            durability: Durability::Written,
            commit_interval: Duration::from_millis(10),
            buffer_max_bytes: 128 << 20,
            request_max_bytes: 320 << 20,
            rotation: Rotation { max_bytes: 64 << 20, max_age: Duration::from_secs(900) },
            sealing: Sealing { compression: SealingCompression::Zstd, level: 1 },
            forms: Forms::default(),
            retention: Retention {
                max_age: PerSignal { traces: day, metrics: 7 * day, logs: day },
                max_bytes: 4 << 30,
            },
            min_free_bytes: 256 << 20,
            makes_way: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_make_way_for_what_is_lacking_down_to_a_quarter() {
        let mut settings = Settings::sample(std::path::Path::new("x"));
        (settings.retention.max_bytes, settings.min_free_bytes) = (1600, 50);
        assert_eq!(settings.most_bytes(1500, 0), 1600, "only where they may");
        settings.makes_way = true;
        // 150 are to be free, of which 100 are headroom.
        for (total, free, most) in
            [(1500, 150, 1600), (1500, 149, 1499), (1500, 0, 1350), (420, 0, 400), (100, 0, 400), (3000, 100, 1600)]
        {
            assert_eq!(settings.most_bytes(total, free), most, "{total} {free}");
        }
    }
}

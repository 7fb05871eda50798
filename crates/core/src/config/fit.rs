//! Sizes that nobody set, reduced to what the volume and the memory of this process can bear (ADR 0015).

use std::path::Path;

use otlp_arrow_store::volume::{Volume, bytes_below};

use super::keys::{Table, standard};
use super::memory_limit;
use super::read::Reader;
use super::request_memory;
use super::types::{Config, Fit};
use super::units::{show_size, size};

const MIB: u64 = 1 << 20;
/// The least buffer that still takes a batch of every signal.
const LEAST_BUFFER: u64 = 4 * MIB;
/// Smaller files cost more to name than to keep.
const LEAST_ROTATION: u64 = 256 << 10;
/// The least that the key takes.
const LEAST_RETENTION: u64 = MIB;

/// What sizes must fit into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    volume: Option<Volume>,
    /// Bytes of the output directory itself.
    taken: u64,
    /// Bytes of memory this process may have.
    memory: Option<u64>,
}

impl Surroundings {
    /// Of this process and this directory, which need not exist; `root` is the root of the file system, where limits of
    /// memory are told.
    pub(crate) fn of(output_dir: &Path, root: &Path) -> Self {
        // What cannot be asked will say itself when it is full.
        let volume = Volume::of(output_dir).ok();
        let is_large = volume.is_some_and(|volume| volume.free / 4 > default_of("retention.max_bytes"));
        // Looking through a directory takes its time, and on a large disk changes nothing.
        let taken = if is_large { 0 } else { bytes_below(output_dir) };
        Self { volume, taken, memory: memory_limit::of(root) }
    }

    /// What keys have by default here, where that is less than in the table, each with what it is that for.
    fn defaults(&self) -> Vec<(&'static str, u64, String)> {
        let mut found = Vec::new();
        let mut at_most = |key: &'static str, bytes: u64, least: u64, what: &str| {
            let bytes = rounded(bytes.max(least));
            if bytes < default_of(key) {
                found.push((key, bytes, what.to_owned()));
            }
        };
        if let Some(memory) = self.memory {
            let what = format!("a memory limit of {}", about(memory));
            at_most("buffer.max_bytes", memory / 4, LEAST_BUFFER, &what);
            at_most("forward[].memory", memory / 8, 0, &what);
        }
        if let Some(Volume { size, free, in_memory }) = self.volume {
            let min_free = size / 20;
            at_most("storage.min_free_bytes", min_free, 0, &format!("a volume of {}", about(size)));
            let min_free = min_free.min(default_of("storage.min_free_bytes"));
            let (mut space, mut what) = (free.saturating_add(self.taken).saturating_sub(min_free), "");
            // What is kept in memory counts as memory of who wrote it.
            if let Some(memory) = self.memory.filter(|memory| in_memory && memory / 2 < space) {
                (space, what) = (memory / 2, " in memory");
            }
            let what = format!("{} of space{what}", about(space));
            at_most("retention.max_bytes", space / 2, LEAST_RETENTION, &what);
            at_most("rotation.max_bytes", space / 32, LEAST_ROTATION, &what);
        }
        found
    }
}

/// Has the keys that are read from now on the defaults that they have here.
pub(super) fn set_defaults(reader: &mut Reader<'_>, surroundings: &Surroundings) {
    for (key, bytes, what) in surroundings.defaults() {
        reader.set_default_for(key, show_size(bytes), what);
    }
}

impl Config {
    /// Takes every size as it stands, also one that is the default of the table: without this, opening a configuration that was
    /// built by hand reduces such sizes to what the volume and the memory of this process can bear, as parsing does.
    pub fn exactly(mut self) -> Self {
        self.fit = Fit { at_open: false, makes_way: false };
        self
    }

    /// Reduces the sizes that nobody set, if that is still to be done.
    pub(crate) fn fitted(mut self, surroundings: impl FnOnce(&Path) -> Surroundings) -> Self {
        if !std::mem::take(&mut self.fit.at_open) {
            return self;
        }
        let surroundings = surroundings(&self.output_dir);
        self.fit.makes_way = self.retention.max_bytes == default_of("retention.max_bytes");
        for (key, bytes, _) in surroundings.defaults() {
            let default = default_of(key);
            let fit = |value: &mut u64| *value = if *value == default { bytes } else { *value };
            let fit_memory = |value: &mut usize| {
                let mut bytes = *value as u64;
                fit(&mut bytes);
                *value = usize::try_from(bytes).unwrap_or(usize::MAX);
            };
            match key {
                "storage.min_free_bytes" => fit(&mut self.storage.min_free_bytes),
                "retention.max_bytes" => fit(&mut self.retention.max_bytes),
                "rotation.max_bytes" => fit(&mut self.rotation.max_bytes),
                "forward[].memory" => self.forward.iter_mut().for_each(|to| fit_memory(&mut to.memory)),
                _ => {
                    fit_memory(&mut self.buffer.max_bytes);
                    request_memory::fit(&mut self.limits, self.buffer.max_bytes);
                }
            }
        }
        self
    }
}

/// The default of the table.
fn default_of(key: &str) -> u64 {
    let table: &Table = standard();
    table.lookup(key).and_then(|key| size(key.default).ok()).unwrap_or(u64::MAX)
}

/// Whole mebibytes, or of less than one multiples of 64 KiB.
fn rounded(bytes: u64) -> u64 {
    let unit = if bytes >= MIB { MIB } else { 64 << 10 };
    bytes / unit * unit
}

/// A size as a person says it.
fn about(bytes: u64) -> String {
    match bytes / MIB {
        0 => format!("{}KiB", bytes >> 10),
        whole if whole < 10_240 => format!("{whole}MiB"),
        whole => format!("{}GiB", whole >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DestinationConfig;

    const GIB: u64 = 1 << 30;

    fn on(size: u64, free: u64, taken: u64, memory: Option<u64>, in_memory: bool) -> Surroundings {
        Surroundings { volume: Some(Volume { size, free, in_memory }), taken, memory }
    }

    fn sizes(surroundings: &Surroundings) -> [u64; 4] {
        let config = Config::default().fitted(|_| *surroundings);
        [
            config.storage.min_free_bytes,
            config.retention.max_bytes,
            config.rotation.max_bytes,
            config.buffer.max_bytes as u64,
        ]
    }

    #[test]
    fn a_machine_with_room_has_the_defaults_of_the_table() {
        let table = [256 * MIB, 4 * GIB, 64 * MIB, 128 * MIB];
        for surroundings in [
            Surroundings::default(),
            on(500 * GIB, 100 * GIB, 0, None, false),
            on(500 * GIB, 5 * GIB, 4 * GIB, Some(512 * MIB), false),
        ] {
            assert_eq!(sizes(&surroundings), table, "{surroundings:?}");
            assert_eq!(surroundings.defaults(), []);
        }
    }

    #[test]
    fn small_volumes_and_limits_have_smaller_ones() {
        for (surroundings, expected) in [
            (on(64 * MIB, 64 * MIB, 0, None, false), [3 * MIB, 30 * MIB, MIB, 128 * MIB]),
            (on(16 * MIB, 16 * MIB, 0, None, false), [768 << 10, 7 * MIB, 448 << 10, 128 * MIB]),
            (on(200 * MIB, 200 * MIB, 0, None, false), [10 * MIB, 95 * MIB, 5 * MIB, 128 * MIB]),
            // Half full of what is not ours, and of what is.
            (on(512 * MIB, 256 * MIB, 0, None, false), [25 * MIB, 115 * MIB, 7 * MIB, 128 * MIB]),
            (on(512 * MIB, 256 * MIB, 200 * MIB, None, false), [25 * MIB, 215 * MIB, 13 * MIB, 128 * MIB]),
            (on(100 * GIB, 3 * GIB, GIB, None, false), [256 * MIB, 1920 * MIB, 64 * MIB, 128 * MIB]),
            (on(MIB, 0, 0, Some(MIB), true), [0, MIB, 256 << 10, 4 * MIB]),
            // Memory, which a volume in memory takes as well.
            (on(500 * GIB, 100 * GIB, 0, Some(128 * MIB), false), [256 * MIB, 4 * GIB, 64 * MIB, 32 * MIB]),
            (on(8 * GIB, 8 * GIB, 0, Some(128 * MIB), true), [256 * MIB, 32 * MIB, 2 * MIB, 32 * MIB]),
        ] {
            assert_eq!(sizes(&surroundings), expected, "{surroundings:?}");
        }
    }

    #[test]
    fn what_somebody_set_stays_and_what_is_exact_as_well() {
        let small = on(64 * MIB, 64 * MIB, 0, Some(64 * MIB), false);
        let mut config = Config::default();
        (config.storage.min_free_bytes, config.buffer.max_bytes) = (9 * MIB, 200 << 20);
        let config = config.fitted(|_| small);
        assert_eq!((config.storage.min_free_bytes, config.buffer.max_bytes), (9 * MIB, 200 << 20));
        assert_eq!((config.retention.max_bytes, config.fit.makes_way), (30 * MIB, true));
        assert_eq!(Config::default().fitted(|_| small).limits.max_body, 12 << 20, "three quarters of the buffer");
        let mut config = Config::default();
        config.retention.max_bytes = 40 * MIB;
        assert!(!config.fitted(|_| small).fit.makes_way);
        let forward = vec![DestinationConfig::new("a", "http://a"), DestinationConfig::new("b", "http://b")];
        let mut config = Config { forward, ..Config::default() };
        config.forward[1].memory = 3 << 20;
        let forward = config.fitted(|_| small).forward;
        assert_eq!((forward[0].memory, forward[1].memory), (8 << 20, 3 << 20));
        let exact = Config::default().exactly().fitted(|_| small);
        assert_eq!((exact.retention.max_bytes, exact.fit.makes_way), (4 * GIB, false));
    }

    #[test]
    fn each_default_says_what_it_is_for() {
        let small = on(64 * MIB, 60 * MIB, 0, Some(96 * MIB), false);
        let told: Vec<String> = small.defaults().into_iter().map(|(key, _, what)| format!("{key}: {what}")).collect();
        assert_eq!(
            told,
            [
                "buffer.max_bytes: a memory limit of 96MiB",
                "forward[].memory: a memory limit of 96MiB",
                "storage.min_free_bytes: a volume of 64MiB",
                "retention.max_bytes: 56MiB of space",
                "rotation.max_bytes: 56MiB of space",
            ]
        );
        let in_memory = on(8 * GIB, 8 * GIB, 0, Some(128 * MIB), true).defaults();
        assert!(in_memory.iter().any(|(_, _, what)| what == "64MiB of space in memory"), "{in_memory:?}");
        assert_eq!(about(20 * GIB), "20GiB");
    }
}

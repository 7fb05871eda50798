//! Where every file of an output directory is, and what its name says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::Signal;

/// Names one writer forever: 64 random bits, 16 hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriterId(pub u64);

impl WriterId {
    /// A new one, from the operating system's random source.
    pub fn random() -> Self {
        let random = getrandom::u64().unwrap_or_else(|_| {
            // Without a random source the process and the moment still tell writers of one directory apart.
            let now = Clock::system().wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
            now.rotate_left(20) ^ u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        Self(random)
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for WriterId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(lower_hex) {
            return Err(());
        }
        u64::from_str_radix(text, 16).map(WriterId).map_err(|_| ())
    }
}

/// The name of a file without its extension: `<YYYYMMDDTHHMMSS.mmmZ>-<writer>-<seq>`.
///
/// Ordered by creation time, then writer, then sequence. Within a writer only the sequence counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stem {
    /// Milliseconds since 1970, by the clock of the writer.
    pub created_ms: u64,
    /// Who wrote it.
    pub writer: WriterId,
    /// Position among the files of the writer, all signals together.
    pub seq: u32,
}

impl Stem {
    /// The stem of a file that `writer` creates at `created`.
    pub fn new(created: SystemTime, writer: WriterId, seq: u32) -> Self {
        let created_ms = created.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { created_ms: created_ms.min(LAST_MS), writer, seq }
    }

    /// When the file was created.
    pub fn created(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.created_ms)
    }
}

/// The last millisecond of the year 9999.
const LAST_MS: u64 = 253_402_300_799_999;

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.created_ms / 86_400_000, self.created_ms % 86_400_000);
        let (year, month, day) = civil_from_days(days as i64);
        let (second, ms) = (ms / 1000, ms % 1000);
        write!(
            f,
            "{year:04}{month:02}{day:02}T{:02}{:02}{:02}.{ms:03}Z-{}-{:08}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.writer,
            self.seq
        )
    }
}

impl FromStr for Stem {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let (Some(time), Some(writer), Some(seq), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let number = |text: Option<&str>| -> Result<u64, ()> {
            let text = text.ok_or(())?;
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(());
            }
            text.parse().map_err(|_| ())
        };
        if time.len() != 20 || seq.len() < 8 {
            return Err(());
        }
        let days = days_from_civil(number(time.get(0..4))? as i64, number(time.get(4..6))?, number(time.get(6..8))?);
        let second = number(time.get(9..11))? * 3600 + number(time.get(11..13))? * 60 + number(time.get(13..15))?;
        let created_ms = u64::try_from(days).map_err(|_| ())? * 86_400_000 + second * 1000 + number(time.get(16..19))?;
        let stem = Stem { created_ms, writer: writer.parse()?, seq: number(Some(seq))?.try_into().map_err(|_| ())? };
        // Only what we would have written ourselves: one file has one name.
        if stem.to_string() == text { Ok(stem) } else { Err(()) }
    }
}

/// Gregorian date of a day counted from 1970-01-01 (Hinnant's algorithm, years since 0).
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_shifted + 2) / 5 + 1) as u64;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 } as u64;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: u64, day: u64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_shifted = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_shifted + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// What the name of an index ends in.
const INDEX: &str = "idx";

/// The paths of one output directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The output directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `otlp/<signal>`: the data files of one signal.
    pub fn signal_dir(&self, signal: Signal) -> PathBuf {
        self.root.join("otlp").join(signal.as_str())
    }

    /// `writers`: one lock file for each writer that may have files to recover or to deliver.
    pub fn writers_dir(&self) -> PathBuf {
        self.root.join("writers")
    }

    /// The lock of one writer.
    pub fn writer_lock(&self, writer: WriterId) -> PathBuf {
        self.writers_dir().join(format!("{writer}.lock"))
    }

    /// The number that the recorder of this directory is known by to others.
    pub fn recorder_number(&self) -> PathBuf {
        self.root.join("recorder")
    }

    /// The lock under which files of others are adopted and old files deleted.
    pub fn maintenance_lock(&self) -> PathBuf {
        self.root.join("maintenance.lock")
    }

    /// `tmp`: files that are not finished; anything of a dead writer in it may go.
    pub fn tmp_dir(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where the sealed form of `stem` is written before it is renamed.
    pub fn tmp(&self, stem: &Stem) -> PathBuf {
        self.tmp_dir().join(stem.to_string())
    }

    /// `index/<signal>`: what questions keep of the sealed files of one signal. Everything in it can be made again.
    pub fn index_dir(&self, signal: Signal) -> PathBuf {
        self.root.join("index").join(signal.as_str())
    }

    /// The index of one file.
    pub fn index(&self, signal: Signal, stem: &Stem) -> PathBuf {
        self.index_dir(signal).join(format!("{stem}.{INDEX}"))
    }

    /// The file that the entry of [`Layout::index_dir`] with this name is the index of.
    pub fn indexed(name: &str) -> Option<Stem> {
        name.strip_suffix(INDEX)?.strip_suffix('.')?.parse().ok()
    }

    /// `quarantine`: what could not be read, each with a reason beside it.
    pub fn quarantine_dir(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// `rejected`: requests a forwarding destination will never take.
    pub fn rejected_dir(&self) -> PathBuf {
        self.root.join("rejected")
    }

    /// `cursors`: how far each named consumer has come.
    pub fn cursors_dir(&self) -> PathBuf {
        self.root.join("cursors")
    }

    /// What of it is a link to elsewhere, if anything is: what is written there would be written elsewhere.
    pub fn link(&self) -> Option<PathBuf> {
        let signals = Signal::ALL.into_iter().flat_map(|signal| [self.signal_dir(signal), self.index_dir(signal)]);
        let folders = ["otlp", "index"].map(|name| self.root.join(name));
        let own = [
            self.writers_dir(),
            self.recorder_number(),
            self.maintenance_lock(),
            self.tmp_dir(),
            self.quarantine_dir(),
            self.rejected_dir(),
            self.cursors_dir(),
        ];
        let is_link = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        folders.into_iter().chain(own).chain(signals).find(is_link)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_stem_says_when_who_and_which() {
        let created = UNIX_EPOCH + Duration::from_millis(1_795_246_895_042);
        let stem = Stem::new(created, WriterId(0x00ab), 7);
        assert_eq!(stem.to_string(), "20261121T074135.042Z-00000000000000ab-00000007");
        assert_eq!(stem.to_string().parse::<Stem>(), Ok(stem.clone()));
        assert_eq!(stem.created(), created);
    }

    #[test]
    fn every_day_of_eight_centuries_has_one_date() {
        let mut before = (0, 0, 0);
        for days in 0..(800 * 366) {
            let date = civil_from_days(days);
            assert!(date > before, "{days}");
            assert_eq!(days_from_civil(date.0, date.1, date.2), days);
            before = date;
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(11_016), (2000, 2, 29));
    }

    #[test]
    fn text_order_is_stem_order() {
        let stem = |ms, writer, seq| Stem { created_ms: ms, writer: WriterId(writer), seq };
        let mut stems = [stem(5, 1, 2), stem(5, 1, 1), stem(4, u64::MAX, 9), stem(90_000_000, 0, 0), stem(5, 0, 3)];
        let mut texts: Vec<String> = stems.iter().map(Stem::to_string).collect();
        stems.sort();
        texts.sort();
        assert_eq!(stems.iter().map(Stem::to_string).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn the_name_of_an_index_says_which_file_it_is_of() {
        let stem = Stem { created_ms: 1_795_246_895_042, writer: WriterId(0x00ab), seq: 7 };
        let path = Layout::new("root").index(Signal::Logs, &stem);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(Layout::indexed(name), Some(stem.clone()));
        assert_eq!(path.parent().unwrap(), Path::new("root/index/logs"));
        for other in [&format!("{stem}.idx.tmp"), &format!("{stem}idx"), &format!("{stem}.arrow"), "notes.idx", ".idx"]
        {
            assert_eq!(Layout::indexed(other), None, "{other}");
        }
    }

    #[test]
    fn writer_ids_differ() {
        assert_ne!(WriterId::random(), WriterId::random());
        assert_eq!(WriterId(0xfe).to_string().parse(), Ok(WriterId(0xfe)));
        assert!("fe".parse::<WriterId>().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_below_the_directory_is_found() {
        let elsewhere = tempfile::tempdir().unwrap();
        for name in ["writers", "maintenance.lock", "otlp", "otlp/traces", "index/logs", "tmp", "rejected", "cursors"] {
            let dir = tempfile::tempdir().unwrap();
            let layout = Layout::new(dir.path());
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            assert_eq!(layout.link(), None, "{name}");
            // One that leads nowhere yet would be followed as well.
            std::os::unix::fs::symlink(elsewhere.path().join("none"), &path).unwrap();
            assert_eq!(layout.link(), Some(path), "{name}");
        }
    }
}

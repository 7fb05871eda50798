//! The number that a recorder is known by among those that records come through.

use std::io;

use crate::store::Log;
use crate::store::names::WriterId;

/// So often another process may be found in the middle of writing it.
const ATTEMPTS: usize = 20;

/// The number in the file `recorder` of the directory; the first process that needs it writes it. Where there can be no such
/// file, it is one of this process.
pub(super) fn recorder_number(log: &Log) -> u64 {
    for _ in 0..ATTEMPTS {
        match read(log) {
            Ok(Some(number)) => return number,
            Ok(None) => std::thread::yield_now(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let number = WriterId::random();
                match write(log, number) {
                    Ok(()) => return number.0,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => {
                        tracing::debug!(%error, "the number of this recorder cannot be kept");
                        return number.0;
                    }
                }
            }
            Err(_) => break,
        }
    }
    // Half of it: whoever wrote it ended in the middle.
    let number = WriterId::random();
    let _ = log.storage().remove(&log.layout().recorder_number()).and_then(|()| write(log, number));
    number.0
}

fn read(log: &Log) -> io::Result<Option<u64>> {
    let file = log.storage().open(&log.layout().recorder_number())?;
    let mut bytes = vec![0; file.len()?.min(64) as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<WriterId>().ok()).map(|number| number.0))
}

fn write(log: &Log, number: WriterId) -> io::Result<()> {
    log.storage().create_dir_all(log.layout().root())?;
    let mut file = log.storage().create(&log.layout().recorder_number())?;
    file.append(format!("{number}\n").as_bytes())?;
    file.sync()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_a_directory_has_one_number() {
        let dir = tempfile::tempdir().unwrap();
        let log = || Log::read_only(dir.path());
        let numbers: Vec<u64> = std::thread::scope(|scope| {
            let found: Vec<_> = (0..8).map(|_| scope.spawn(|| recorder_number(&log()))).collect();
            found.into_iter().map(|found| found.join().unwrap()).collect()
        });
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        assert_eq!(recorder_number(&log()), numbers[0], "also later");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(recorder_number(&Log::read_only(other.path())), numbers[0]);
        std::fs::write(dir.path().join("recorder"), "00").unwrap();
        let mended = recorder_number(&log());
        assert_eq!(recorder_number(&log()), mended, "half a number is replaced");
    }
}

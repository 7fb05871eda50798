//! The keys that senders give their batches, as files hold them: `<seconds since 1970, 8 hex digits>,<key in hex>,<key in hex>` for
//! each commit that has any, with `;` between those of several commits.

use std::fmt::Write;

/// The most keys that a sealed file holds of its commits, the latest ones.
pub(crate) const MOST: usize = 65_536;

/// A key, and when its batch was committed, in seconds since 1970.
pub(crate) type Dated = (u64, Vec<u8>);

/// The keys of one commit.
pub(crate) fn write<'a>(seconds: u64, keys: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut text = format!("{:08x}", seconds.min(u64::from(u32::MAX)));
    for key in keys {
        text.push(',');
        for byte in key {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// Those of several commits, the latest [`MOST`] of them.
pub(crate) fn join(commits: &[String]) -> String {
    let mut left = MOST;
    let latest = commits.iter().rev().take_while(|text| {
        let fits = left > 0;
        left = left.saturating_sub(text.matches(',').count());
        fits
    });
    let mut latest: Vec<&str> = latest.map(String::as_str).collect();
    latest.reverse();
    latest.join(";")
}

/// What is written, oldest first. What is not written so is left out: a key that is not known costs a second copy, and nothing else.
pub(crate) fn read(text: &[u8]) -> Vec<Dated> {
    let mut found = Vec::new();
    for commit in text.split(|byte| *byte == b';') {
        let mut words = commit.split(|byte| *byte == b',');
        let Some(seconds) = words.next().and_then(number) else { continue };
        found.extend(words.filter_map(bytes).map(|key| (seconds, key)));
    }
    found
}

fn number(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn bytes(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = hex.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let (first, second) = (write(7, [&b"a"[..], b"\x00\xff"]), write(u64::MAX, [&b"b"[..]]));
        assert_eq!((first.as_str(), second.as_str()), ("00000007,61,00ff", "ffffffff,62"));
        let wanted = vec![(7, b"a".to_vec()), (7, vec![0, 0xff]), (u64::from(u32::MAX), b"b".to_vec())];
        assert_eq!(read(join(&[first, second]).as_bytes()), wanted);
        for nothing in [&b""[..], b";", b"x,61", b"00000007", b"00000007,6", b"00000007,zz;,", b"\xff\xfe,61"] {
            assert_eq!(read(nothing), [], "{nothing:?}");
        }
    }

    #[test]
    fn of_many_the_latest_are_held() {
        let commits: Vec<String> = (0..MOST as u64 + 10).map(|at| write(at, [&at.to_be_bytes()[..]])).collect();
        let held = read(join(&commits).as_bytes());
        assert_eq!((held.len(), held[0].0, held[MOST - 1].0), (MOST, 10, MOST as u64 + 9));
    }
}

//! The recorders that records came through: how a ring of them is noticed.

use std::fmt;
use std::sync::Arc;

/// The recorders that records came through, the first of them first, each by the number of its directory. Most have come through
/// none, which costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hops(Option<Arc<[u64]>>);

impl Hops {
    /// The header that tells them, of a request over HTTP and over gRPC.
    pub const HEADER: &'static str = "otlp-arrow-via";
    /// The header of an answer that refuses records which came through whoever answers, with the reason as its value.
    pub const REFUSED: &'static str = "otlp-arrow-loop";
    /// More than so many are a ring, whoever is in it.
    pub const MOST: usize = 16;

    /// Reads the value of the header: 16 hexadecimal digits each, with commas between. What is not a number is left out, and what
    /// is beyond [`Hops::MOST`] and one more.
    pub fn parse(text: &str) -> Self {
        let is_number = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = |word: &str| is_number(word).then(|| u64::from_str_radix(word, 16).ok()).flatten();
        text.split(',').filter_map(|word| number(word.trim())).take(Self::MOST + 1).collect()
    }

    /// These and one more.
    #[must_use]
    pub fn then(&self, number: u64) -> Self {
        self.iter().chain([number]).collect()
    }

    /// Whether they came through this one.
    pub fn contains(&self, number: u64) -> bool {
        self.iter().any(|known| known == number)
    }

    /// Why the recorder of this number does not take records that came this way; None where it does.
    pub fn refused_by(&self, number: Option<u64>) -> Option<&'static str> {
        match number {
            Some(number) if self.iter().last() == Some(number) => Some(
                "loop: this is the recorder that forwards it, or one whose directory is a copy: forward to another endpoint, or delete \
                 the file recorder in the copy",
            ),
            Some(number) if self.contains(number) => Some(
                "loop: these records came from here: take one of the recorders out of the ring that they forward in",
            ),
            _ if self.len() > Self::MOST => Some("loop: these records came through more than 16 recorders"),
            _ => None,
        }
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|hops| hops.iter().copied())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |hops| hops.len())
    }

    /// Whether there are none: the records began here, or came from who does not tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<u64> for Hops {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let numbers: Arc<[u64]> = numbers.into_iter().collect();
        Self((!numbers.is_empty()).then_some(numbers))
    }
}

/// The value of the header.
impl fmt::Display for Hops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, number) in self.iter().enumerate() {
            write!(f, "{}{number:016x}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_and_read_in_order() {
        let hops = Hops::default().then(1).then(u64::MAX);
        assert_eq!(hops.to_string(), "0000000000000001,ffffffffffffffff");
        assert_eq!(Hops::parse(&hops.to_string()), hops);
        assert!(hops.contains(1) && hops.contains(u64::MAX) && !hops.contains(2));
        assert_eq!((hops.len(), Hops::default().len()), (2, 0));
        assert_eq!(Hops::parse(" 0000000000000001 , x, +000000000000001,00"), Hops::default().then(1));
        assert!(Hops::parse("").is_empty() && Hops::parse("nonsense").is_empty());
        let refused = |number| hops.refused_by(number).map(|reason| reason.contains("came from here"));
        assert_eq!([refused(Some(1)), refused(Some(u64::MAX))], [Some(true), Some(false)], "first and last");
        assert_eq!([refused(Some(2)), refused(None)], [None, None]);
        let many = vec!["00000000000000aa"; 5000].join(",");
        assert_eq!(Hops::parse(&many).len(), Hops::MOST + 1, "enough to see that they are too many");
        assert!(Hops::parse(&many).refused_by(None).is_some());
    }
}

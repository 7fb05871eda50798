//! The ways in, as counters know them: a service registers its name, and what comes in by it is counted apart.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use otlp_arrow_columns::Reason;

use super::PerSignal;
use super::histogram::Histogram;
use crate::error::Code;

/// The way a request came in: a name that [`Stats::protocol`](super::Stats::protocol) has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    index: u8,
    name: &'static str,
}

impl Protocol {
    /// A call in this process: SDK exporters and `export_otlp`. Registered everywhere.
    pub const LIBRARY: Protocol = Protocol { index: 0, name: "library" };

    /// The label of the counter, such as `otlp_grpc`.
    pub const fn as_str(self) -> &'static str {
        self.name
    }
}

/// How many names there can be: each takes counters for every signal and outcome.
const MOST: usize = 16;
/// The name of the last of them, which all that find no place share.
const OTHER: &str = "other";

const REASONS: usize = Reason::ALL.len();
/// Outcomes of a request: done, or one of the codes.
pub(super) const OUTCOMES: usize = Code::COUNT + 1;

/// What is counted of one way in.
#[derive(Debug)]
pub(super) struct Counters {
    name: &'static str,
    pub(super) received: PerSignal<AtomicU64>,
    pub(super) refused: PerSignal<[AtomicU64; REASONS]>,
    pub(super) foreign_data: PerSignal<AtomicU64>,
    pub(super) streams: PerSignal<AtomicU64>,
    pub(super) not_kept: PerSignal<[AtomicU64; Code::COUNT]>,
    pub(super) request_seconds: PerSignal<[Histogram; OUTCOMES]>,
}

impl Counters {
    fn new(name: &'static str) -> Box<Self> {
        let (received, refused, foreign_data, streams, not_kept, request_seconds) = Default::default();
        Box::new(Self { name, received, refused, foreign_data, streams, not_kept, request_seconds })
    }
}

/// The counters of every way in, in the order of their registration.
#[derive(Debug)]
pub(super) struct Protocols([OnceLock<Box<Counters>>; MOST]);

impl Default for Protocols {
    fn default() -> Self {
        let protocols = Self(Default::default());
        protocols.of(Protocol::LIBRARY);
        protocols
    }
}

impl Protocols {
    pub(super) fn register(&self, name: &'static str) -> Protocol {
        for (index, slot) in self.0.iter().enumerate() {
            let name = if index + 1 == MOST { OTHER } else { name };
            if slot.get_or_init(|| Counters::new(name)).name == name {
                return Protocol { index: index as u8, name };
            }
        }
        Protocol::LIBRARY
    }

    pub(super) fn of(&self, protocol: Protocol) -> &Counters {
        self.0[usize::from(protocol.index)].get_or_init(|| Counters::new(protocol.name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Counters)> {
        self.0.iter().filter_map(|slot| slot.get()).map(|counters| (counters.name, &**counters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_registered_once_and_the_last_place_is_shared() {
        const NAMES: [&str; MOST + 3] =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s"];
        let protocols = Protocols::default();
        assert_eq!(protocols.register("library"), Protocol::LIBRARY);
        let first = protocols.register("a");
        assert_eq!((first, first.as_str()), (protocols.register("a"), "a"));
        let last: Vec<_> = NAMES.iter().map(|name| protocols.register(name)).collect();
        assert_eq!(last[0], first);
        assert!(last[MOST - 2..].iter().all(|protocol| protocol.as_str() == OTHER));
        assert_eq!(protocols.iter().count(), MOST);
        assert!(last.iter().all(|protocol| protocols.of(*protocol).name == protocol.as_str()));
    }
}

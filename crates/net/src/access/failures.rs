//! Who failed to show credentials, how often: guessers are slowed by address, and people are told.
//!
//! An address that failed ten times within a minute is refused for the rest of it without a look at what it shows. Behind one address
//! may be many: what was accepted from there before is not refused with the others.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;

use super::crypto::Digest;
use crate::identity::Peer;

/// Addresses that failed within a minute, and as many that did not; beyond that the oldest is forgotten.
const MOST: usize = 4096;
/// Failures of one address within [`WINDOW`] before it is refused.
const ALLOWED: u32 = 10;
/// From the first failure on.
const WINDOW: Duration = Duration::from_secs(60);
/// How often people are told at most.
const TOLD: Duration = Duration::from_secs(600);

/// From where: one address of IPv4, or the 64 bits of IPv6 that one network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Option<IpAddr>);

impl Origin {
    /// Of a peer.
    pub fn of(peer: Peer) -> Self {
        let Peer::Address(address) = peer else { return Self(None) };
        Self(Some(match address.ip().to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(address.to_bits())),
        }))
    }
}

/// Why what was shown was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Unknown or wrong: nobody is told which.
    Wrong,
    /// Right once, or not yet.
    Expired,
}

/// What happened since people were told last, without addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failing {
    /// Requests with credentials that are wrong.
    pub wrong: u64,
    /// Requests with credentials whose time is over or has not come.
    pub expired: u64,
    /// Requests that were refused unseen.
    pub slowed: u64,
    /// Times that an address was slowed.
    pub origins: u64,
}

/// Too many failures from an address: it may try again after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowed(pub Duration);

/// The table of them.
#[derive(Debug)]
pub struct Failures {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failed: Recent<Origin, u32>,
    accepted: Recent<(Origin, Digest), ()>,
    total: Failing,
    since: Failing,
    told: Option<Instant>,
}

/// The newest [`MOST`], each with when it came.
#[derive(Debug)]
struct Recent<K, V> {
    entries: HashMap<K, (Instant, V)>,
    /// In the order in which they came; one that came again has its older place still, until that is the oldest.
    order: VecDeque<(Instant, K)>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V> Recent<K, V> {
    fn insert(&mut self, key: K, now: Instant, value: V) {
        while self.order.len() >= MOST {
            self.forget_oldest();
        }
        self.entries.insert(key, (now, value));
        self.order.push_back((now, key));
    }

    fn forget_oldest(&mut self) {
        if let Some((came, key)) = self.order.pop_front()
            && self.entries.get(&key).is_some_and(|(since, _)| *since == came)
        {
            self.entries.remove(&key);
        }
    }
}

impl Failures {
    /// Nobody failed yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Whether what is shown, of which `digest` is the digest, may be looked at.
    ///
    /// # Errors
    /// Too many failures from there.
    pub fn allow(&self, from: Origin, digest: &Digest) -> Result<(), Slowed> {
        let mut state = lock(&self.state);
        let Some((since, count)) = state.failed.entries.get(&from) else { return Ok(()) };
        let left = WINDOW.saturating_sub(self.clock.elapsed(*since));
        if *count < ALLOWED || left.is_zero() || state.accepted.entries.contains_key(&(from, *digest)) {
            return Ok(());
        }
        state.total.slowed += 1;
        state.since.slowed += 1;
        Err(Slowed(left))
    }

    /// Counts what was not accepted. What people should be told, where that is due: first when an address is slowed, then at most
    /// every ten minutes.
    pub fn failed(&self, from: Origin, why: Failure) -> Option<Failing> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let count = match state.failed.entries.get_mut(&from) {
            Some((since, count)) if now.saturating_duration_since(*since) < WINDOW => {
                *count = count.saturating_add(1);
                *count
            }
            _ => {
                state.failed.insert(from, now, 1);
                1
            }
        };
        for counted in [&mut state.total, &mut state.since] {
            match why {
                Failure::Wrong => counted.wrong += 1,
                Failure::Expired => counted.expired += 1,
            }
            counted.origins += u64::from(count == ALLOWED);
        }
        let due = state.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD);
        if !due || state.since.origins == 0 {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.since))
    }

    /// Remembers what was accepted from there, so that it is not refused for the failures of others. What is no longer accepted
    /// fails as before: this only says that it may be looked at.
    pub fn accepted(&self, from: Origin, digest: &Digest) {
        let mut state = lock(&self.state);
        let key = (from, *digest);
        if !state.accepted.entries.contains_key(&key) {
            state.accepted.insert(key, self.clock.now(), ());
        }
    }

    /// All that was counted.
    pub fn total(&self) -> Failing {
        lock(&self.state).total
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    const GOOD: Digest = [1; 32];
    const GUESS: Digest = [2; 32];

    fn origin(address: &str) -> Origin {
        Origin::of(Peer::Address(format!("{address}:4317").parse().unwrap()))
    }

    fn failures() -> (ManualClock, Failures) {
        let clock = ManualClock::new();
        let failures = Failures::new(clock.clock());
        (clock, failures)
    }

    fn fail(failures: &Failures, from: Origin, times: u32) -> Vec<Failing> {
        (0..times).filter_map(|_| failures.failed(from, Failure::Wrong)).collect()
    }

    #[test]
    fn ten_failures_slow_an_address_until_a_minute_after_the_first() {
        let (clock, failures) = failures();
        let (guesser, other) = (origin("192.0.2.1"), origin("192.0.2.2"));
        fail(&failures, guesser, ALLOWED - 1);
        clock.advance(Duration::from_secs(20));
        assert_eq!(failures.allow(guesser, &GUESS), Ok(()));
        fail(&failures, guesser, 1);
        assert_eq!(failures.allow(guesser, &GUESS), Err(Slowed(Duration::from_secs(40))));
        assert_eq!(failures.allow(other, &GUESS), Ok(()));
        clock.advance(Duration::from_secs(39));
        assert_eq!(failures.allow(guesser, &GUESS), Err(Slowed(Duration::from_secs(1))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(failures.allow(guesser, &GUESS), Ok(()));
        fail(&failures, guesser, ALLOWED - 1);
        assert_eq!(failures.allow(guesser, &GUESS), Ok(()), "a new minute");
        fail(&failures, guesser, 1);
        assert!(failures.allow(guesser, &GUESS).is_err());
    }

    #[test]
    fn who_was_accepted_from_there_is_not_refused_with_its_neighbour() {
        let (_, failures) = failures();
        let (proxy, other) = (origin("192.0.2.1"), origin("192.0.2.2"));
        failures.accepted(proxy, &GOOD);
        fail(&failures, proxy, ALLOWED);
        fail(&failures, other, ALLOWED);
        assert_eq!(failures.allow(proxy, &GOOD), Ok(()));
        assert!(failures.allow(proxy, &GUESS).is_err());
        assert!(failures.allow(other, &GOOD).is_err(), "accepted from elsewhere");
    }

    #[test]
    fn networks_of_ipv6_are_one_and_mapped_addresses_are_of_ipv4() {
        assert_eq!(origin("[2001:db8::1]"), origin("[2001:db8::ffff:1]"));
        assert_ne!(origin("[2001:db8::1]"), origin("[2001:db8:0:1::1]"));
        assert_eq!(origin("[::ffff:192.0.2.1]"), origin("192.0.2.1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(Origin::of(Peer::Unnamed), Origin::of(Peer::Unnamed));
        assert_ne!(Origin::of(Peer::Unnamed), origin("0.0.0.0"));
    }

    #[test]
    fn people_are_told_when_it_begins_and_every_ten_minutes() {
        let (clock, failures) = failures();
        assert_eq!(fail(&failures, origin("192.0.2.9"), ALLOWED - 1), [], "a typing error or nine");
        failures.failed(origin("192.0.2.8"), Failure::Expired);
        let told = fail(&failures, origin("192.0.2.1"), 3 * ALLOWED);
        assert_eq!(told, [Failing { wrong: 19, expired: 1, slowed: 0, origins: 1 }]);
        assert!(failures.allow(origin("192.0.2.1"), &GUESS).is_err());
        assert_eq!(fail(&failures, origin("192.0.2.2"), ALLOWED), []);
        clock.advance(TOLD);
        let told = fail(&failures, origin("192.0.2.9"), 1);
        assert_eq!(told, [Failing { wrong: 31, expired: 0, slowed: 1, origins: 1 }]);
        clock.advance(TOLD);
        assert_eq!(fail(&failures, origin("192.0.2.9"), ALLOWED - 1), [], "it is over");
        assert_eq!(failures.total(), Failing { wrong: 59, expired: 1, slowed: 1, origins: 2 });
    }

    #[test]
    fn a_flood_of_addresses_stays_within_its_bounds() {
        let (_, failures) = failures();
        let addresses: Vec<_> = (0..MOST as u32 + 9).map(|at| Origin(Some(Ipv4Addr::from(at).into()))).collect();
        for from in &addresses {
            fail(&failures, *from, ALLOWED);
            failures.accepted(*from, &GOOD);
            failures.accepted(*from, &GOOD);
        }
        let state = lock(&failures.state);
        assert_eq!((state.failed.entries.len(), state.failed.order.len()), (MOST, MOST));
        assert_eq!((state.accepted.entries.len(), state.accepted.order.len()), (MOST, MOST));
        drop(state);
        assert_eq!(failures.allow(addresses[8], &GUESS), Ok(()), "the oldest are forgotten");
        assert!(failures.allow(addresses[9], &GUESS).is_err());
    }

    #[test]
    fn an_address_that_comes_again_is_not_forgotten_with_its_older_place() {
        let (clock, failures) = failures();
        let guesser = Origin(Some(Ipv4Addr::from(u32::MAX).into()));
        fail(&failures, guesser, 1);
        clock.advance(WINDOW);
        fail(&failures, guesser, ALLOWED);
        for at in 0..MOST as u32 - 1 {
            fail(&failures, Origin(Some(Ipv4Addr::from(at).into())), 1);
        }
        assert!(failures.allow(guesser, &GUESS).is_err());
    }
}

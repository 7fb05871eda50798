//! The frames of an HTTP/2 connection as they pass. Frames that carry nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
//! RST_STREAM, empty ones) cost their sender little and whoever answers them much: a client that sends nothing else is
//! left (CVE-2019-9512, 9514, 9515, 9518, CVE-2023-44487, CVE-2024-27316 and their like).
//!
//! Each frame costs something, what it carries earns something. What a connection may owe is a long burst, paid off with time.

use std::time::Instant;

use otlp_arrow_base::clock::Clock;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PADDED: u8 = 8;

/// Sixteenths of a frame that carries nothing: what a connection has at most, and what it gets back in a second.
const MOST: i64 = 10_000 * COST;
const PER_SECOND: i64 = 500 * COST;
const COST: i64 = 16;
/// A stream that is opened is something; one that is taken back is less than nothing, unless it carried data.
const OPENED: i64 = 4 * COST;
const RESET: i64 = 4 * COST;

/// The heads of frames among the bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Heads {
    head: [u8; 9],
    filled: usize,
    /// Of the payload of the last frame: what is still to come.
    payload: usize,
}

impl Heads {
    /// Takes bytes up to the end of the next head, and gives that.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<[u8; 9]> {
        let skipped = self.payload.min(bytes.len());
        *bytes = &bytes[skipped..];
        self.payload -= skipped;
        if self.payload > 0 || bytes.is_empty() {
            return None;
        }
        let taken = bytes.len().min(self.head.len() - self.filled);
        self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
        *bytes = &bytes[taken..];
        self.filled += taken;
        if self.filled < self.head.len() {
            return None;
        }
        self.filled = 0;
        self.payload = length(&self.head);
        Some(self.head)
    }

    /// Takes note of bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while self.next(&mut bytes).is_some() {}
    }

    /// Whether the next byte begins a frame.
    pub(super) fn is_between(&self) -> bool {
        self.filled == 0 && self.payload == 0
    }
}

fn length(head: &[u8; 9]) -> usize {
    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])
}

/// What a client has sent, in what it carries.
#[derive(Debug)]
pub(super) struct Received {
    heads: Heads,
    left: i64,
    since: Instant,
}

impl Received {
    pub(super) fn new(now: Instant) -> Self {
        Self { heads: Heads::default(), left: MOST, since: now }
    }

    /// Takes note of what has arrived; false when it is a flood.
    pub(super) fn pass(&mut self, mut bytes: &[u8], clock: &Clock) -> bool {
        while let Some(head) = self.heads.next(&mut bytes) {
            let (kind, flags, length) = (head[3], head[4], length(&head) as i64);
            let earned = match kind {
                // A body has limits of its own, in whatever pieces it comes; what is padded with is nothing.
                DATA if flags & PADDED == 0 && length > 0 => length.max(COST),
                HEADERS => OPENED,
                RST_STREAM => -RESET,
                // A long list of settings is many.
                DATA => 0,
                _ => -length / 4,
            };
            self.left = (self.left - COST + earned).min(MOST);
            if self.left < 0 && !self.paid_off(clock.now()) {
                return false;
            }
        }
        true
    }

    /// Answers that were sent: each is acknowledged by frames.
    pub(super) fn answered(&mut self, bytes: usize) {
        self.left = (self.left + bytes as i64 / 32).min(MOST);
    }

    /// What time has paid; whether that is enough.
    #[cold]
    fn paid_off(&mut self, now: Instant) -> bool {
        let millis = now.saturating_duration_since(self.since).as_millis().min(1_000_000) as i64;
        self.since = now;
        self.left = (self.left + millis * PER_SECOND / 1000).min(MOST);
        self.left >= 0
    }
}

/// GOAWAY with ENHANCE_YOUR_CALM.
pub(super) const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = (payload as u32).to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.resize(9 + payload, 0xaa);
        frame
    }

    /// How many of these a client may send in a moment.
    fn endured(frames: &[Vec<u8>]) -> usize {
        let manual = ManualClock::new();
        let clock = manual.clock();
        let mut received = Received::new(clock.now());
        let all = frames.concat();
        (0..100_000).take_while(|_| received.pass(&all, &clock)).count()
    }

    #[test]
    fn frames_that_carry_nothing_end_a_connection_and_others_do_not() {
        let (ping, update, settings) = (frame(6, 0, 8), frame(8, 0, 4), frame(4, 0, 0));
        let (headers, reset) = (frame(1, 4, 100), frame(3, 0, 4));
        for flood in [&ping, &update, &settings, &frame(2, 0, 5), &frame(9, 0, 0), &frame(0, 0, 0), &frame(0xbb, 0, 0)]
        {
            let count = endured(std::slice::from_ref(flood));
            assert!((5_000..=10_000).contains(&count), "{count} of {flood:?}");
        }
        assert!(endured(&[frame(0, PADDED, 200)]) <= 10_000);
        assert!(endured(&[frame(4, 0, 6 * 2000)]) < 100, "many settings in one frame");
        assert!(endured(&[headers.clone(), reset.clone()]) <= 10_000, "opened and taken back");
        // What clients do: a request, its acknowledgements, a ping to measure the way.
        let export = [headers.clone(), frame(0, 1, 150), ping.clone(), update.clone(), update.clone()];
        assert_eq!(endured(&export), 100_000);
        assert_eq!(endured(&[headers.clone(), ping, update.clone()]), 100_000, "requests without a body");
        assert_eq!(endured(&[headers, frame(0, 0, 400), reset, update]), 100_000, "given up on the way");
    }

    #[test]
    fn time_and_answers_pay_for_frames() {
        let manual = ManualClock::new();
        let clock = manual.clock();
        let mut received = Received::new(clock.now());
        let ping = frame(6, 0, 8);
        for _ in 0..60_000 {
            manual.advance(Duration::from_millis(4));
            assert!(received.pass(&ping, &clock));
        }
        let mut received = Received::new(clock.now());
        let update = frame(8, 0, 4);
        for _ in 0..60_000 {
            received.answered(4096);
            assert!(received.pass(&update, &clock) && received.pass(&update, &clock));
        }
    }

    #[test]
    fn heads_are_found_however_the_bytes_are_cut() {
        let frames = [frame(1, 4, 40), frame(0, 0, 0), frame(0, 1, 70_000), frame(6, 0, 8)];
        let all = frames.concat();
        for size in [1, 2, 7, 9, 10, 1000, all.len()] {
            let (mut heads, mut kinds) = (Heads::default(), Vec::new());
            for piece in all.chunks(size) {
                let mut rest = piece;
                while let Some(head) = heads.next(&mut rest) {
                    kinds.push(head[3]);
                }
            }
            assert_eq!((kinds.as_slice(), heads.is_between()), (&[1, 0, 0, 6][..], true), "{size}");
        }
        let mut heads = Heads::default();
        heads.pass(&GOAWAY[..5]);
        assert!(!heads.is_between());
        heads.pass(&GOAWAY[5..]);
        assert!(heads.is_between());
    }
}

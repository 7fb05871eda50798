//! A binary fuse filter of 16 bits (Graf and Lemire, "Binary Fuse Filters", 2022): tells of a key whether it can be there. Of one
//! that is not there it is wrong once in 65,536 times.

use super::bytes::{Put, Reader};

/// See the module. Keys are well mixed numbers of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fuse {
    seed: u64,
    /// Length of a segment, a power of two.
    segment: u32,
    fingerprints: Box<[u16]>,
}

/// A key has a place in each of so many neighbouring segments.
const PLACES: usize = 3;
/// Longer segments make the filter no smaller.
const LONGEST: u32 = 1 << 18;
/// Each attempt succeeds nearly always; keys that all of these fail for are not distinct.
const ATTEMPTS: u64 = 64;

/// The 64 bits of `key` mixed so that each of them depends on each (the finalizer of MurmurHash3).
pub(super) fn mix(mut key: u64) -> u64 {
    key ^= key >> 33;
    key = key.wrapping_mul(0xff51_afd7_ed55_8ccd);
    key ^= key >> 33;
    key = key.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ (key >> 33)
}

fn fingerprint(hash: u64) -> u16 {
    (hash ^ (hash >> 32)) as u16
}

impl Fuse {
    /// A filter of these keys, each there once. `None` where none can be made.
    pub(super) fn of(keys: &[u64]) -> Option<Self> {
        let count = u32::try_from(keys.len()).ok()?.max(2);
        let size = f64::from(count);
        let segment = (1u32 << (size.ln() / 3.33f64.ln() + 2.25).floor() as u32).min(LONGEST);
        let factor = (0.875 + 0.25 * 1e6f64.ln() / size.ln()).max(1.125);
        let segments = ((size * factor).round() as u64).div_ceil(u64::from(segment)).max(PLACES as u64);
        let len = usize::try_from(segments * u64::from(segment)).ok()?;
        let mut made = Self { seed: 0, segment, fingerprints: vec![0; len].into() };
        let mut peeled = Vec::with_capacity(keys.len());
        (1..=ATTEMPTS).any(|attempt| made.peel(mix(attempt), keys, &mut peeled)).then_some(())?;
        for (hash, own) in peeled.into_iter().rev() {
            let places = made.places(hash);
            let others = (0..PLACES).filter(|at| *at != usize::from(own));
            let value = others.fold(fingerprint(hash), |value, at| value ^ made.fingerprints[places[at]]);
            made.fingerprints[places[usize::from(own)]] = value;
        }
        Some(made)
    }

    /// Finds an order in which each key has a place of its own when its turn comes, the last one first.
    fn peel(&mut self, seed: u64, keys: &[u64], peeled: &mut Vec<(u64, u8)>) -> bool {
        self.seed = seed;
        peeled.clear();
        let len = self.fingerprints.len();
        // Of each place: how many keys have it, their hashes and which of their places it is, the latter two added up.
        let (mut counts, mut hashes, mut which) = (vec![0u32; len], vec![0u64; len], vec![0u8; len]);
        for key in keys {
            let hash = mix(key.wrapping_add(seed));
            for (at, place) in self.places(hash).into_iter().enumerate() {
                counts[place] += 1;
                hashes[place] ^= hash;
                which[place] ^= at as u8;
            }
        }
        let mut alone: Vec<u32> = (0..len as u32).filter(|place| counts[*place as usize] == 1).collect();
        while let Some(place) = alone.pop() {
            if counts[place as usize] != 1 {
                continue;
            }
            let (hash, own) = (hashes[place as usize], which[place as usize]);
            peeled.push((hash, own));
            for (at, place) in self.places(hash).into_iter().enumerate() {
                counts[place] -= 1;
                hashes[place] ^= hash;
                which[place] ^= at as u8;
                if counts[place] == 1 {
                    alone.push(place as u32);
                }
            }
        }
        peeled.len() == keys.len()
    }

    fn places(&self, hash: u64) -> [usize; PLACES] {
        let (segment, mask) = (self.segment, self.segment - 1);
        let begins = self.fingerprints.len() as u64 - u64::from(segment) * (PLACES as u64 - 1);
        let first = ((u128::from(hash) * u128::from(begins)) >> 64) as u32;
        let second = (first + segment) ^ ((hash >> 18) as u32 & mask);
        let third = (first + 2 * segment) ^ (hash as u32 & mask);
        [first as usize, second as usize, third as usize]
    }

    /// Whether `key` can be there.
    pub(super) fn may_have(&self, key: u64) -> bool {
        let hash = mix(key.wrapping_add(self.seed));
        let found = self.places(hash).into_iter().fold(0, |value, place| value ^ self.fingerprints[place]);
        found == fingerprint(hash)
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.fingerprints)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_u64(self.seed);
        out.put_u32(self.segment);
        out.put_count(self.fingerprints.len());
        self.fingerprints.iter().for_each(|value| out.put_u16(*value));
    }

    /// `None` of what cannot be a filter.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (seed, segment) = (reader.u64()?, reader.u32()?);
        let count = reader.count(2)?;
        let values = reader.bytes(count * 2)?.chunks_exact(2);
        let fingerprints = values.map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]])).collect();
        let right = segment.is_power_of_two()
            && segment <= LONGEST
            && count.is_multiple_of(segment as usize)
            && count / segment as usize >= PLACES
            && u32::try_from(count).is_ok()
            && reader.ends();
        right.then_some(Self { seed, segment, fingerprints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_there_is_found_and_little_else() {
        for count in [0, 1, 2, 3, 4, 10, 100, 1_000, 13_107, 200_000] {
            let keys: Vec<u64> = (0..count).map(mix).collect();
            let fuse = Fuse::of(&keys).unwrap();
            assert!(keys.iter().all(|key| fuse.may_have(*key)), "{count}");
            let wrong = (0..100_000).filter(|other| fuse.may_have(mix(other + 1_000_000_000))).count();
            assert!(wrong < 20, "{wrong} of 100,000 with {count}");
            let mut bytes = Vec::new();
            fuse.write(&mut bytes);
            assert_eq!(Fuse::read(&bytes), Some(fuse.clone()));
            if count > 10_000 {
                let bits = fuse.memory() as f64 * 8.0 / count as f64;
                assert!(bits < 21.0, "{bits} bits a key of {count}");
            }
        }
    }

    #[test]
    fn keys_that_are_there_twice_make_no_filter() {
        assert_eq!(Fuse::of(&[7, 7, 9]), None);
    }

    #[test]
    fn what_cannot_be_a_filter_is_none() {
        let mut bytes = Vec::new();
        Fuse::of(&(0..100).map(mix).collect::<Vec<_>>()).unwrap().write(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(Fuse::read(&bytes[..len]), None, "{len}");
        }
        for segment in [0u32, 1, 3, 1 << 20, u32::MAX] {
            let mut wrong = bytes.clone();
            wrong[8..12].copy_from_slice(&segment.to_le_bytes());
            // One that is a filter by all rules answers without a panic, whatever it answers.
            if let Some(fuse) = Fuse::read(&wrong) {
                assert!((0..1_000).filter(|key| fuse.may_have(mix(*key))).count() <= 1_000);
            }
        }
    }
}

//! What of one file survives a power cut: pages that were not synced are kept, lost or zeroed, each on its own.

use std::collections::BTreeSet;

use otlp_arrow_testkit::rng::Rng;

const PAGE: usize = 4096;

/// A file as processes see it, and as the disk holds it.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// What processes see.
    pub bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Pages that changed since they were synced.
    dirty: BTreeSet<usize>,
    /// Pages whose write-back failed: the system takes them for clean, the disk does not have them.
    lost: BTreeSet<usize>,
}

fn page(bytes: &[u8], page: usize) -> &[u8] {
    let rest = bytes.get(page * PAGE..).unwrap_or_default();
    &rest[..rest.len().min(PAGE)]
}

fn set_page(bytes: &mut Vec<u8>, number: usize, content: &[u8]) {
    if bytes.len() < number * PAGE + content.len() {
        bytes.resize(number * PAGE + content.len(), 0);
    }
    bytes[number * PAGE..number * PAGE + content.len()].copy_from_slice(content);
}

impl Pages {
    fn touch(&mut self, from: usize, to: usize) {
        for page in from / PAGE..to.div_ceil(PAGE) {
            self.dirty.insert(page);
            self.lost.remove(&page);
        }
    }

    /// Appends as a process sees it.
    pub fn append(&mut self, bytes: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.touch(from, self.bytes.len());
    }

    /// Cuts as a process sees it.
    pub fn truncate(&mut self, len: usize) {
        let before = self.bytes.len();
        self.bytes.resize(len, 0);
        self.touch(len.min(before), len.max(before));
    }

    /// Makes everything durable, but for pages the system wrongly takes for clean.
    pub fn sync(&mut self) {
        for number in std::mem::take(&mut self.dirty) {
            let content = page(&self.bytes, number).to_vec();
            set_page(&mut self.synced, number, &content);
        }
        self.synced.resize(self.bytes.len(), 0);
    }

    /// A sync that fails: some pages made it, the others are forgotten.
    pub fn fail_sync(&mut self, rng: &mut Rng) {
        for number in std::mem::take(&mut self.dirty) {
            if rng.one_in(2) {
                let content = page(&self.bytes, number).to_vec();
                set_page(&mut self.synced, number, &content);
            } else {
                self.lost.insert(number);
            }
        }
    }

    /// What is left after a power cut.
    pub fn cut_power(&mut self, rng: &mut Rng) {
        let mut after = self.synced.clone();
        for number in self.dirty.iter().chain(&self.lost).copied().collect::<BTreeSet<_>>() {
            // A page is written as a whole or not at all; one that was never there may read as zeros.
            let new = page(&self.bytes, number).to_vec();
            let end = number * PAGE + new.len();
            match rng.below(3) {
                0 => after.resize(after.len().max(end), 0),
                1 if self.dirty.contains(&number) => set_page(&mut after, number, &new),
                _ => {}
            }
        }
        // The length is metadata of its own: the old one, the new one, or what the pages make it.
        let len = *rng.pick(&[self.synced.len(), self.bytes.len(), after.len()]);
        if self.dirty.is_empty() && self.lost.is_empty() {
            after.clone_from(&self.synced);
        } else {
            after.resize(len, 0);
        }
        *self = Pages { synced: after.clone(), bytes: after, ..Pages::default() };
    }
}

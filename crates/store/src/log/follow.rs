//! Walks everything that is committed in a directory for one signal, writer by writer, and goes on as more is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::Log;
use super::cursor::Positions;
use super::directory::files_in;
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Stem, WriterId};
use crate::file;
use crate::file::options::ReadOptions;
use crate::file::read::{Extent, FileBatches, Wanted};
use crate::log::position::Position;
use otlp_arrow_base::error::{OtlpError, Result};

/// How often the directory is looked at for what other processes write.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads from positions on, one per writer.
#[derive(Debug)]
pub(crate) struct Follower {
    log: Log,
    signal: Signal,
    wanted: Wanted,
    /// Writers in the order of their first files.
    order: Vec<WriterId>,
    files: BTreeMap<WriterId, Vec<(Stem, Form, u64)>>,
    positions: Positions,
    open: BTreeMap<WriterId, Open>,
    looked: Option<Instant>,
    /// Files whose content does not hold: told once, then passed over.
    unreadable: BTreeSet<Stem>,
}

#[derive(Debug)]
struct Open {
    stem: Stem,
    form: Form,
    batches: FileBatches,
}

/// What one writer has to offer at the moment.
enum Found {
    Batch(RecordBatch),
    /// Everything of this file is behind, and it does not grow.
    Finished,
    /// Nothing more for now.
    Nothing,
}

impl Follower {
    pub(crate) fn new(log: Log, signal: Signal, positions: Positions) -> Result<Self> {
        let wanted = Wanted::new(signal, &ReadOptions::default())?;
        let (order, files, open, unreadable) = Default::default();
        Ok(Self { log, signal, wanted, order, files, positions, open, looked: None, unreadable })
    }

    /// Where everything ends that is committed now.
    pub(crate) fn ends(log: &Log, signal: Signal) -> Result<Positions> {
        let mut ends = Positions::new();
        for file in files_in(&**log.storage(), &log.layout().signal_dir(signal))? {
            // Files of a writer come in order: the last one counts.
            ends.insert(file.stem.writer, Position::start_of(file.stem));
        }
        for position in ends.values_mut() {
            position.row = rows(log, signal, &position.stem)?;
        }
        Ok(ends)
    }

    /// The next batch and the position behind it; `None` when everything committed is behind.
    ///
    /// After an error of the disk the same place is tried again; a file whose content does not hold is passed over.
    pub(crate) fn next(&mut self) -> Result<Option<(RecordBatch, Position)>> {
        self.look()?;
        for at in 0..self.order.len() {
            let writer = self.order[at];
            while let Some(stem) = self.current(writer) {
                let found = match self.read(&stem) {
                    Err(error) if self.is_damage(&error, &stem) => {
                        tracing::warn!(%error, "a subscription goes on behind a damaged file");
                        self.pass_over(&stem);
                        return Err(error);
                    }
                    found => found?,
                };
                match found {
                    Found::Batch(batch) => {
                        let row = self.open.get(&writer).map_or(0, |open| open.batches.next_row());
                        let position = Position { stem, row };
                        self.positions.insert(writer, position.clone());
                        return Ok(Some((batch, position)));
                    }
                    Found::Nothing => break,
                    Found::Finished => {
                        self.open.remove(&writer);
                        let Some(next) = self.after(&stem) else { break };
                        self.positions.insert(writer, Position::start_of(next));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether this writer is still known: without files and dead, its position says nothing any more.
    pub(crate) fn knows(&self, writer: WriterId) -> bool {
        Some(writer) == self.log.writer() || self.files.contains_key(&writer)
    }

    /// Whether an error is about the content of a file that nobody appends to: it will not get better.
    fn is_damage(&self, error: &OtlpError, stem: &Stem) -> bool {
        file::body::is_damage(error) && self.log.own().find(stem).is_none_or(|own| !own.live)
    }

    fn pass_over(&mut self, stem: &Stem) {
        if let Some(files) = self.files.get_mut(&stem.writer) {
            files.retain(|(other, ..)| other != stem);
        }
        self.unreadable.insert(stem.clone());
    }

    /// Lists the directory: when time has passed, or when a file of our own is not in the list yet.
    fn look(&mut self) -> Result<()> {
        let listed = |files: &BTreeMap<WriterId, Vec<(Stem, Form, u64)>>, stem: &Stem| {
            files.get(&stem.writer).is_some_and(|files| files.iter().any(|(known, ..)| known == stem))
        };
        let newest = self.log.own().newest(self.signal);
        let known = newest.is_none_or(|stem| listed(&self.files, &stem) || self.unreadable.contains(&stem));
        if known && self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.order.clear();
        self.files.clear();
        for file in files_in(&**self.log.storage(), &self.log.layout().signal_dir(self.signal))? {
            if self.order.last() != Some(&file.stem.writer) {
                self.order.push(file.stem.writer);
            }
            let files = self.files.entry(file.stem.writer).or_default();
            if !self.unreadable.contains(&file.stem) {
                files.push((file.stem, file.form, file.len));
            }
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// The file that is to be read for `writer`, if there is one at or behind its position.
    fn current(&mut self, writer: WriterId) -> Option<Stem> {
        let files = self.files.get(&writer)?;
        let Some(position) = self.positions.get(&writer) else {
            let stem = files.first()?.0.clone();
            self.positions.insert(writer, Position::start_of(stem.clone()));
            return Some(stem);
        };
        let (stem, ..) = files.iter().find(|(stem, ..)| stem.seq >= position.stem.seq)?;
        if stem.seq > position.stem.seq {
            // Retention was faster: what is gone is gone.
            let stem = stem.clone();
            self.positions.insert(writer, Position::start_of(stem.clone()));
            self.open.remove(&writer);
            return Some(stem);
        }
        Some(stem.clone())
    }

    fn after(&self, stem: &Stem) -> Option<Stem> {
        self.files.get(&stem.writer)?.iter().map(|(stem, ..)| stem).find(|other| other.seq > stem.seq).cloned()
    }

    fn read(&mut self, stem: &Stem) -> Result<Found> {
        let own = self.log.own().find(stem);
        let listed = self.files.get(&stem.writer).and_then(|files| files.iter().find(|(known, ..)| known == stem));
        let (listed_form, len) = listed.map_or((Form::Sealed, 0), |(_, form, len)| (*form, *len));
        let newer = self.after(stem).is_some();
        let extent = match &own {
            Some(own) => Extent::Committed(own.len),
            None => Extent::Prefix(None),
        };
        let row = self.positions.get(&stem.writer).map_or(0, |position| position.row);
        // An open stream is read on where it grows; everything else is opened anew.
        let open = match self.open.remove(&stem.writer).filter(|open| open.stem == *stem) {
            Some(mut open) => {
                if open.form == Form::Live {
                    open.batches.extend(own.as_ref().map_or(len, |own| own.len));
                }
                Some(open)
            }
            None => self.open_at(stem, extent, row)?,
        };
        let Some(mut open) = open else { return Ok(Found::Finished) };
        if let Some(batch) = open.batches.next_batch()? {
            self.open.insert(stem.writer, open);
            return Ok(Found::Batch(batch));
        }
        let grows = match (open.form, &own) {
            (Form::Sealed, _) => false,
            (Form::Live, Some(own)) => own.live,
            // Sealed meanwhile: looked at again in that form, in case more was committed in between.
            (Form::Live, None) if Some(stem.writer) == self.log.writer() || listed_form == Form::Sealed => {
                self.looked = None;
                return self.sealed_rest(stem, open.batches.next_row());
            }
            (Form::Live, None) => !newer,
        };
        if grows && open.batches.can_extend() {
            self.open.insert(stem.writer, open);
        }
        Ok(if grows { Found::Nothing } else { Found::Finished })
    }

    fn sealed_rest(&mut self, stem: &Stem, row: u64) -> Result<Found> {
        let Some(mut open) = self.open_form(stem, Form::Sealed, Extent::Prefix(None), row)? else {
            return Ok(Found::Finished);
        };
        let batch = open.batches.next_batch()?;
        self.open.insert(stem.writer, open);
        Ok(batch.map_or(Found::Finished, Found::Batch))
    }

    /// Opens a file in the form it has; `None` if retention deleted it.
    fn open_at(&self, stem: &Stem, extent: Extent, row: u64) -> Result<Option<Open>> {
        // A file may be sealed between two looks, so the sealed form is tried again.
        for (form, extent) in
            [(Form::Sealed, Extent::Prefix(None)), (Form::Live, extent), (Form::Sealed, Extent::Prefix(None))]
        {
            if let Some(open) = self.open_form(stem, form, extent, row)? {
                return Ok(Some(open));
            }
        }
        Ok(None)
    }

    fn open_form(&self, stem: &Stem, form: Form, extent: Extent, row: u64) -> Result<Option<Open>> {
        let path = self.log.layout().data(self.signal, stem, form);
        match self.log.storage().open(&path) {
            Ok(file) => {
                let batches = FileBatches::open(file, path.display().to_string(), extent, row, &self.wanted)?;
                Ok(Some(Open { stem: stem.clone(), form, batches }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(storage_error("read", &path, error)),
        }
    }
}

/// Rows that are committed in a file; 0 if it is gone.
pub(crate) fn rows(log: &Log, signal: Signal, stem: &Stem) -> Result<u64> {
    if let Some(own) = log.own().find(stem) {
        return Ok(own.rows);
    }
    for form in [Form::Sealed, Form::Live, Form::Sealed] {
        let path = log.layout().data(signal, stem, form);
        match log.storage().open(&path).and_then(|file| file::rows(&*file)) {
            Ok(rows) => return Ok(rows),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(storage_error("read", &path, error)),
        }
    }
    Ok(0)
}

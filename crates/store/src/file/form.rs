//! The forms that a data file may have. Each says how its files are called, which of two forms counts, and how it is read.
//!
//! A form is registered, not matched: another one is a [`FileForm`] in a file of its own and a call of [`Forms::with`].

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::blocks::{BlockReader, Outline};
use super::error::{Result, damaged};
use super::open_blocks;
use super::options::Extent;
use super::read::FileBatches;
use super::row_blocks::RowBlocks;
use super::scan::{self, Check};
use super::sealed::{self, Contents};
use super::wanted::Wanted;
use crate::disk::names::Stem;
use crate::disk::storage::ReadFile;

/// One form of data files.
pub trait FileForm: fmt::Debug + Send + Sync {
    /// What its files end in, without the point.
    fn extension(&self) -> &'static str;

    /// Where a file is there in several forms, the one of the highest rank counts.
    ///
    /// A file goes from a form to one of a higher rank only, with the same rows under the same numbers, and its lower form is
    /// deleted after the higher one is there.
    fn rank(&self) -> u8;

    /// Whether its writer may still append to a file of this form.
    fn grows(&self) -> bool {
        false
    }

    /// The rows of `file` from the one with the number `from_row` on. `name` is for errors.
    fn open(
        &self,
        file: Box<dyn ReadFile>,
        name: &str,
        extent: Extent,
        from_row: u64,
        wanted: &Wanted,
    ) -> Result<Box<dyn RowReader>>;

    /// The rows of `file` by block, for a form whose blocks can be read one by one; `known` is an outline of the same file.
    /// Without it blocks are made of what [`FileForm::open`] reads.
    fn blocks(
        &self,
        file: &Arc<dyn ReadFile>,
        name: &str,
        extent: Extent,
        known: Option<&Arc<Outline>>,
    ) -> Result<Option<Box<dyn BlockReader>>> {
        let _ = (file, name, extent, known);
        Ok(None)
    }

    /// How much of `file` holds, looked at as closely as `check` says; nothing of what is not a file of this form.
    fn committed(&self, file: &dyn ReadFile, check: Check) -> io::Result<Committed>;

    /// The keys of batches that `file` holds, each with the time of its commit in seconds since 1970.
    fn keys(&self, file: &dyn ReadFile) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let _ = file;
        Ok(Vec::new())
    }

    /// What `file` is worth, looked at as closely as `check` says.
    fn state(&self, file: &dyn ReadFile, check: Check) -> io::Result<FileState>;
}

/// The rows of one file, from some row on.
pub trait RowReader: fmt::Debug + Send {
    /// The next batch, never an empty one. `None` when there are no more for now. Do not go on after an error.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.next_batch_until(u64::MAX)
    }

    /// [`RowReader::next_batch`] of rows before the one with the number `end`.
    fn next_batch_until(&mut self, end: u64) -> Result<Option<RecordBatch>>;

    /// The number of the row that the next batch would start with, filters aside: where to go on in another form of the file.
    fn next_row(&self) -> u64;

    /// The schema of the batches, with the metadata of the file.
    fn schema(&self) -> &SchemaRef;

    /// More may have been appended: batches now come up to `extent`. `false` if the file has to be opened anew for that.
    fn grow(&mut self, extent: Extent) -> Result<bool>;
}

/// How much of a file is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Its rows.
    pub rows: u64,
    /// Its bytes up to the end of the last of them.
    pub bytes: u64,
}

/// Whether a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// As far as it was looked at.
    Whole,
    /// It cannot, or not in every part.
    Damaged,
    /// A later version wrote it.
    Newer,
}

/// One registered [`FileForm`].
#[derive(Clone, Copy)]
pub struct Form(&'static dyn FileForm);

impl Form {
    /// `.arrows`: a stream that is appended to.
    pub const LIVE: Form = Form(&Live);
    /// `.arrow`: the file format; where both exist this one counts.
    pub const SEALED: Form = Form(&Sealed);

    /// A form beside the two that are written.
    pub const fn new(form: &'static dyn FileForm) -> Self {
        Self(form)
    }

    /// The rows of `file`, which has this form, by block.
    pub(crate) fn open_blocks(
        self,
        file: Arc<dyn ReadFile>,
        name: &str,
        extent: Extent,
        known: Option<&Arc<Outline>>,
    ) -> Result<Box<dyn BlockReader>> {
        match self.blocks(&file, name, extent, known)? {
            Some(blocks) => Ok(blocks),
            None => Ok(Box::new(RowBlocks::new(self, file, name, extent)?)),
        }
    }
}

impl Deref for Form {
    type Target = dyn FileForm;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// By rank.
impl Ord for Form {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank(), self.extension()).cmp(&(other.rank(), other.extension()))
    }
}

impl PartialOrd for Form {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Form {}

impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.extension().hash(state);
    }
}

/// The forms that are known, by rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forms(Arc<[Form]>);

/// The two forms that are written.
impl Default for Forms {
    fn default() -> Self {
        Self([Form::LIVE, Form::SEALED].into())
    }
}

impl Forms {
    /// These and one more, which takes the place of a known one of its extension.
    pub fn with(&self, form: Form) -> Self {
        let others = self.0.iter().copied().filter(|known| known.extension() != form.extension());
        let mut forms: Vec<Form> = others.chain([form]).collect();
        forms.sort();
        Self(forms.into())
    }

    /// All of them, the lowest rank first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Form> + '_ {
        self.0.iter().copied()
    }

    /// The form whose files end in `extension`.
    pub fn of_extension(&self, extension: &str) -> Option<Form> {
        self.iter().find(|form| form.extension() == extension)
    }

    /// What a file name in a signal's directory says; `None` for a file that is not ours.
    pub fn parse(&self, name: &str) -> Option<(Stem, Form)> {
        let (stem, extension) = name.rsplit_once('.')?;
        // The time in a stem has a point as well.
        Some((stem.parse().ok()?, self.of_extension(extension)?))
    }
}

/// The live file: a stream of commits.
#[derive(Debug)]
struct Live;

impl FileForm for Live {
    fn extension(&self) -> &'static str {
        "arrows"
    }

    fn rank(&self) -> u8 {
        0
    }

    fn grows(&self) -> bool {
        true
    }

    fn open(
        &self,
        file: Box<dyn ReadFile>,
        name: &str,
        extent: Extent,
        from_row: u64,
        wanted: &Wanted,
    ) -> Result<Box<dyn RowReader>> {
        Ok(Box::new(FileBatches::open(file, name, extent, from_row, wanted)?))
    }

    fn blocks(
        &self,
        file: &Arc<dyn ReadFile>,
        name: &str,
        extent: Extent,
        known: Option<&Arc<Outline>>,
    ) -> Result<Option<Box<dyn BlockReader>>> {
        open_blocks::open(Arc::clone(file), name, extent, known).map(Some)
    }

    fn committed(&self, file: &dyn ReadFile, check: Check) -> io::Result<Committed> {
        ipc_committed(file, check)
    }

    fn keys(&self, file: &dyn ReadFile) -> io::Result<Vec<(u64, Vec<u8>)>> {
        ipc_keys(file)
    }

    fn state(&self, file: &dyn ReadFile, check: Check) -> io::Result<FileState> {
        let found = scan::stream(file, check)?;
        Ok(match found.version {
            version if super::is_newer(version.as_deref()) => FileState::Newer,
            _ if found.valid_len() > 0 && !found.tail_non_zero => FileState::Whole,
            _ => FileState::Damaged,
        })
    }
}

/// The sealed file: the IPC file format.
#[derive(Debug)]
struct Sealed;

impl FileForm for Sealed {
    fn extension(&self) -> &'static str {
        "arrow"
    }

    fn rank(&self) -> u8 {
        64
    }

    fn open(
        &self,
        file: Box<dyn ReadFile>,
        name: &str,
        extent: Extent,
        from_row: u64,
        wanted: &Wanted,
    ) -> Result<Box<dyn RowReader>> {
        complete(&*file, name)?;
        Ok(Box::new(FileBatches::open(file, name, extent, from_row, wanted)?))
    }

    fn blocks(
        &self,
        file: &Arc<dyn ReadFile>,
        name: &str,
        extent: Extent,
        known: Option<&Arc<Outline>>,
    ) -> Result<Option<Box<dyn BlockReader>>> {
        complete(&**file, name)?;
        open_blocks::open(Arc::clone(file), name, extent, known).map(Some)
    }

    fn committed(&self, file: &dyn ReadFile, check: Check) -> io::Result<Committed> {
        ipc_committed(file, check)
    }

    fn keys(&self, file: &dyn ReadFile) -> io::Result<Vec<(u64, Vec<u8>)>> {
        ipc_keys(file)
    }

    fn state(&self, file: &dyn ReadFile, check: Check) -> io::Result<FileState> {
        if super::is_newer(sealed::version(file)?.as_deref()) {
            return Ok(FileState::Newer);
        }
        let whole = match Contents::read(file)? {
            Some(contents) => check == Check::Heads || contents.verify(file)?,
            None => false,
        };
        Ok(if whole { FileState::Whole } else { FileState::Damaged })
    }
}

/// Refuses what only bears the name of a sealed file.
fn complete(file: &dyn ReadFile, name: &str) -> Result<()> {
    match scan::form(file).map_err(|error| super::ReadError::read(name, error))? {
        scan::Form::Unknown => Err(damaged(format!("{name} is not a complete sealed file"))),
        _ => Ok(()),
    }
}

/// Of either IPC form. Those of a commit that does not hold are nobody's: it was never acknowledged.
fn ipc_keys(file: &dyn ReadFile) -> io::Result<Vec<(u64, Vec<u8>)>> {
    Ok(match scan::form(file)? {
        scan::Form::File => sealed::keys(file)?,
        scan::Form::Stream => scan::keys(file)?,
        scan::Form::Unknown => Vec::new(),
    })
}

/// Of either IPC form: which one it is, the content says.
fn ipc_committed(file: &dyn ReadFile, check: Check) -> io::Result<Committed> {
    Ok(match scan::form(file)? {
        scan::Form::File => match Contents::read(file)? {
            Some(contents) if check == Check::Heads || contents.verify(file)? => {
                Committed { rows: contents.rows(), bytes: file.len()? }
            }
            _ => Committed::default(),
        },
        scan::Form::Stream => {
            let found = scan::stream(file, check)?;
            Committed { rows: found.rows(), bytes: found.valid_len() }
        }
        scan::Form::Unknown => Committed::default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::disk::storage_os::OsStorage;
    use crate::file::compact::compact;
    use crate::file::sample::{self, InMemory};

    #[test]
    fn foreign_names_are_not_ours() {
        let forms = Forms::default();
        for name in [
            "notes.arrow",
            "20261121T074135.042Z-00000000000000ab-00000007",
            "20261121T074135.042Z-00000000000000AB-00000007.arrow",
            "20261321T074135.042Z-00000000000000ab-00000007.arrow",
            "20261121T074175.042Z-00000000000000ab-00000007.arrow",
            "20261121T074135.042Z-00000000000000ab-0000007.arrow",
            "20261121T07413é.42Z-00000000000000ab-00000007.arrow",
            "20261121T074135.042Z-00000000000000ab-00000007.arrow.tmp",
            "20261121T074135.042Z-00000000000000ab-00000007.parquet",
        ] {
            assert_eq!(forms.parse(name), None, "{name}");
        }
        let (stem, form) = forms.parse("20261121T074135.042Z-00000000000000ab-00000007.arrows").unwrap();
        assert_eq!((stem.seq, form), (7, Form::LIVE));
    }

    #[test]
    fn each_form_tells_what_holds_of_a_file() {
        let stream = sample::stream(&[3, 4]);
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("a.arrows"), dir.path().join("a.arrow"));
        std::fs::write(&source, &stream).unwrap();
        compact(&OsStorage, &source, stream.len() as u64, &target, None, &mut || true).unwrap().unwrap();
        let sealed = std::fs::read(target).unwrap();
        for (form, whole) in [(Form::LIVE, &stream), (Form::SEALED, &sealed)] {
            for check in [Check::Heads, Check::Full] {
                let state = |bytes: &[u8]| form.state(&InMemory(bytes.to_vec()), check).unwrap();
                let committed = |bytes: &[u8]| form.committed(&InMemory(bytes.to_vec()), check).unwrap();
                assert_eq!(state(whole), FileState::Whole);
                assert_eq!(committed(whole), Committed { rows: 7, bytes: whole.len() as u64 });
                assert_eq!(state(&whole[..whole.len() - 9]), FileState::Damaged);
                assert_eq!((state(&[]), committed(&[])), (FileState::Damaged, Committed::default()));
            }
            // One byte of a column: only who reads all of it sees that.
            let mut changed = whole.clone();
            let at = whole.len() / 2;
            changed[at] ^= 0x40;
            assert_ne!(form.state(&InMemory(changed), Check::Full).unwrap(), FileState::Whole, "{form:?} at {at}");
        }
        assert_eq!(Form::LIVE.committed(&InMemory(stream[..stream.len() - 9].to_vec()), Check::Full).unwrap().rows, 3);
    }

    #[test]
    fn the_form_of_the_higher_rank_is_the_greater_one() {
        let forms = Forms::default();
        assert!(Form::LIVE < Form::SEALED && Form::LIVE.grows() && !Form::SEALED.grows());
        assert_eq!(forms.iter().collect::<Vec<_>>(), [Form::LIVE, Form::SEALED]);
        assert_eq!(forms.with(Form::SEALED), forms);
        assert_eq!(forms.of_extension("parquet"), None);
    }
}

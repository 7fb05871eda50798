//! Who may use the files: `storage.mode` and `storage.group`.

use super::read::Reader;
use super::types::{Config, Storage};
use super::units::{mode, show_mode};
use crate::store::storage::Storage as Files;
use crate::store::storage_os::OsStorage;

/// Files of the owner alone.
const PRIVATE: u32 = 0o600;

/// Leaves a mistake in the reader for each key that nothing acts on here.
pub(super) fn check_keys(reader: &mut Reader<'_>) {
    for key in ["storage.mode", "storage.group"] {
        if cfg!(not(unix)) && reader.is_set(key) {
            reader.fail(key, NOT_HERE);
        }
    }
}

const NOT_HERE: &str = "is not enforced on this system, where files have the rights of their folder: leave it out, and set the rights of output_dir";

/// The rights of files and the number of their group, or the key to blame and what is wrong with it.
pub(super) fn access(storage: &Storage) -> Result<(u32, Option<u32>), (&'static str, String)> {
    let shown = show_mode(storage.mode);
    if mode(&shown).is_none() {
        let problem = format!("= {shown} is not allowed: the owner has 6, the group and others 0, 4 or 6");
        return Err(("storage.mode", problem));
    }
    if cfg!(not(unix)) && storage.mode != PRIVATE {
        return Err(("storage.mode", NOT_HERE.to_owned()));
    }
    let Some(name) = &storage.group else { return Ok((storage.mode, None)) };
    if cfg!(not(unix)) {
        return Err(("storage.group", NOT_HERE.to_owned()));
    }
    if storage.mode & 0o060 == 0 {
        let problem = format!(
            "= {name:?} has no meaning with storage.mode: {shown}, which lets no group in: set storage.mode to \"0640\" (the group reads) or \"0660\" (it records as well)"
        );
        return Err(("storage.group", problem));
    }
    match group(name) {
        Ok(Some(group)) => Ok((storage.mode, Some(group))),
        Ok(None) => Err(("storage.group", format!("= {name:?} is not a group here: create it, or name another one"))),
        Err(error) => Err(("storage.group", format!("= {name:?} cannot be looked up: {error}"))),
    }
}

#[cfg(unix)]
fn group(name: &str) -> std::io::Result<Option<u32>> {
    match name.parse() {
        // The largest number means "leave it as it is" to the system.
        Ok(u32::MAX) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => crate::store::sys::group(name),
    }
}

#[cfg(not(unix))]
fn group(_name: &str) -> std::io::Result<Option<u32>> {
    Ok(None)
}

impl Config {
    /// The disk, as this configuration has its files used.
    pub(crate) fn files(&self) -> std::sync::Arc<dyn Files> {
        #[cfg(unix)]
        if let Ok((mode, group)) = access(&self.storage)
            && (mode != PRIVATE || group.is_some())
        {
            let files = crate::store::shared::SharedStorage::new(mode, group);
            files.take_along(&self.output_dir);
            return std::sync::Arc::new(files);
        }
        std::sync::Arc::new(OsStorage)
    }
}

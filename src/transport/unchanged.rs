//! Whether a file of the operator's is still the one that was hashed.

use std::io::{Error, Result};

use crate::words::content::LocalFile;

/// An error when it was written to, or replaced, since it was hashed. To be asked after it was read: hashing it once
/// more would cost as much as sending it.
pub fn still_is(file: &LocalFile, len: u64) -> Result<()> {
    let now = std::fs::metadata(&file.path)?;
    if now.len() == len && now.modified().ok() == file.modified {
        return Ok(());
    }
    Err(Error::other(format!("{} changed while it was sent", file.path.display())))
}

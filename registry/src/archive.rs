//! Archives: images in one tar file.
//!
//! A tar file is indexed once, by its headers, and read where its entries lie: nothing is
//! unpacked. It is never changed: writing makes a new file beside it, which takes its place in
//! one step when it is whole.

mod contents;
mod docker;
mod error;
mod images;
mod oci;
mod referrers;
mod shelf;
mod staging;
mod tar;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use crate::store::StoreError;

pub use docker::DockerArchive;
pub use oci::OciArchive;

/// The files of a tar file and where their content lies: what archives are read by, for fuzzing.
///
/// # Errors
/// When it is no tar file, or one that two readers could read in two ways.
#[doc(hidden)]
pub fn index_tar(bytes: &[u8]) -> Result<Vec<(String, Range<u64>)>, StoreError> {
    let tar = tar::Tar::read(bytes).map_err(|error| error::tar(Path::new("bytes"), error))?;
    let files = tar.entries().iter().filter(|entry| entry.kind == tar::Kind::File);
    Ok(files.map(|entry| (entry.path.clone(), entry.data.clone())).collect())
}

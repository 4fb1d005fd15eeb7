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

pub use docker::DockerArchive;
pub use oci::OciArchive;

/// The files of a tar file, and where the content of each lies.
#[cfg(any(test, fuzzing))]
pub(crate) fn index_tar(
    bytes: &[u8],
) -> Result<Vec<(String, std::ops::Range<u64>)>, crate::store::StoreError> {
    let failed = |error| error::tar(std::path::Path::new("bytes"), error);
    let tar = tar::Tar::read(bytes).map_err(failed)?;
    let files = tar.entries().iter().filter(|entry| entry.kind == tar::Kind::File);
    Ok(files.map(|entry| (entry.path.clone(), entry.data.clone())).collect())
}

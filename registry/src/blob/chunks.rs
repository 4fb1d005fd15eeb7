//! A part of a file as a stream.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;

use crate::blob::BlobReader;
use crate::blocking::blocking;
use crate::store::{Blame, StoreError};

/// How much of a file is in memory at a time.
const CHUNK: u64 = 256 << 10;

/// The bytes of `file` in `range`; `name` names it in errors.
///
/// The file's own position is neither used nor moved: any number of readers may share it.
pub(crate) fn chunks(file: Arc<File>, range: Range<u64>, name: String) -> BlobReader {
    BlobReader::new(stream::try_unfold((file, range), move |(file, range)| {
        let attempt = format!("read {name}");
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let read = move || {
                let length = (range.end - range.start).min(CHUNK);
                let chunk = read_exactly(&file, range.start, length)
                    .map_err(|error| StoreError::new(Blame::Local, attempt).with_source(error))?;
                Ok(Some((chunk, (file, range.start + length..range.end))))
            };
            blocking(String::from("read a file"), read).await
        }
    }))
}

/// `length` bytes of `file` from `offset` on.
fn read_exactly(file: &File, offset: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = BytesMut::zeroed(length);
    let mut filled = 0;
    while filled < length {
        match read_at(file, &mut bytes[filled..], offset + filled as u64) {
            Ok(0) => {
                let reason = format!("it ends at byte {}", offset + filled as u64);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes.freeze())
}

/// Reads from `offset` on, wherever the file's own position is.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Reads from `offset` on; the file's own position is moved, and used by nobody.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

//! Files as the tar archive the engine takes them in.

use std::io;

use tokio_tar::{Builder, EntryType, Header};

use crate::definition::ContainerFile;

/// An archive of the files, to be unpacked at `/`.
pub(crate) async fn archive(files: &[ContainerFile]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for file in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(file.mode);
        header.set_size(file.bytes.len() as u64);
        let path = file.path.trim_start_matches('/');
        builder.append_data(&mut header, path, &file.bytes[..]).await?;
    }
    builder.into_inner().await
}

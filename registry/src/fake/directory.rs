//! Directories: what a registry holds, in OCI image layouts, one for each repository.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::{Mutex, MutexGuard};

use super::world::{Content, StoredManifest};
use crate::blob::{BlobReader, BlobSink as _};
use crate::content::Content as Listed;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::reference::Selector;
use crate::referrers::Referrers as _;
use crate::repository::Repository;
use crate::store::{Blame, Store as _, StoreError};
use crate::tag::Tag;

/// A directory that keeps what a registry is sent: the layout of `acme/web` is in `acme/web`.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    turn: Mutex<()>,
}

/// One thing to keep, or to keep no longer.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) repository: String,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Blob(Digest, bytes::Bytes),
    Manifest(Digest, StoredManifest, Vec<Tag>),
    Untagged(Tag),
}

impl Directory {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), turn: Mutex::default() }
    }

    /// Everything that the layouts below hold, by repository. A blob is read into memory.
    pub(super) async fn load(&self) -> Result<BTreeMap<String, Content>, StoreError> {
        if self.root.join("oci-layout").exists() {
            let message = format!("serve {}: it is a layout itself", self.root.display());
            return Err(StoreError::new(Blame::Local, message)
                .with_remedy("name the directory above it: each layout there is a repository"));
        }
        let mut found = BTreeMap::new();
        let mut left = vec![self.root.clone()];
        while let Some(directory) = left.pop() {
            let is_layout = directory.join("oci-layout").exists();
            for entry in fs::read_dir(&directory).map_err(|error| unread(&directory, error))? {
                let path = entry.map_err(|error| unread(&directory, error))?.path();
                if path.is_dir() && !(is_layout && path.ends_with("blobs")) {
                    left.push(path);
                }
            }
            if is_layout {
                found.insert(self.name(&directory)?, read(&Layout::open(&directory)?).await?);
            }
        }
        Ok(found)
    }

    /// The repository whose layout is in `directory`.
    fn name(&self, directory: &Path) -> Result<String, StoreError> {
        let below = directory.strip_prefix(&self.root).unwrap_or(directory);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        match format!("localhost/{name}").parse::<Repository>() {
            Ok(_) => Ok(name),
            Err(error) => {
                let message = format!("serve {}: its path is no name", directory.display());
                Err(StoreError::new(Blame::Local, message)
                    .with_source(error)
                    .with_remedy("rename the directory"))
            }
        }
    }

    /// The turn to change anything: what is kept last is what was answered last.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(super) async fn keep(&self, change: Change) -> Result<(), StoreError> {
        let layout = Layout::create(self.root.join(&change.repository))?;
        match change.what {
            What::Untagged(tag) => layout.untag(&tag).await,
            What::Blob(digest, bytes) => {
                let media_type = MediaType::new("application/octet-stream");
                let blob = Descriptor { media_type, digest, size: bytes.len() as u64 };
                layout.write_blob(&blob, BlobReader::from(bytes)).await
            }
            What::Manifest(digest, stored, tags) => {
                let refused = |error| {
                    StoreError::manifest(format!("keep {digest} of {}", change.repository), error)
                };
                let manifest = Manifest::received(stored.bytes, &stored.media_type, Some(&digest));
                let manifest = manifest.map_err(refused)?;
                for tag in &tags {
                    layout.put(tag, &manifest).await?;
                }
                // Without a tag nothing but its subject leads to it.
                let is_attached = Listed::of(&manifest).is_ok_and(|own| own.subject.is_some());
                match (tags.is_empty(), is_attached) {
                    (true, true) => layout.add_referrer(&manifest).await,
                    (true, false) => layout.put_manifest(&manifest).await,
                    (false, _) => Ok(()),
                }
            }
        }
    }
}

/// All of one layout.
async fn read(layout: &Layout) -> Result<Content, StoreError> {
    let mut content = Content::default();
    let mut left = Vec::new();
    for tag in layout.tags().await? {
        let Some(found) = layout.head(&Selector::Tag(tag.clone())).await? else { continue };
        content.tags.insert(tag, found.digest.clone());
        left.push(found.digest);
    }
    while let Some(digest) = left.pop() {
        if content.manifests.contains_key(&digest) {
            continue;
        }
        let Some(manifest) = layout.get(&Selector::Digest(digest.clone())).await? else { continue };
        // What nobody knows how to read has nothing below it that could be served.
        let listed = Listed::of(&manifest).unwrap_or_default();
        for part in listed.blobs {
            let path = layout.blob_path(&part.descriptor.digest);
            match fs::read(&path) {
                Ok(bytes) => {
                    content.blobs.insert(part.descriptor.digest, bytes.into());
                }
                // A layout may leave out what others hold.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unread(&path, error)),
            }
        }
        left.extend(listed.children.into_iter().map(|child| child.descriptor.digest));
        let media_type = manifest.media_type().as_str().to_owned();
        let stored = StoredManifest { media_type, bytes: manifest.bytes().clone() };
        content.manifests.insert(digest, stored);
    }
    Ok(content)
}

fn unread(path: &Path, error: io::Error) -> StoreError {
    StoreError::new(Blame::Local, format!("read {}", path.display())).with_source(error)
}

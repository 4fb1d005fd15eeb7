//! Small layouts for tests.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use crate::layout::Layout;
use crate::manifest::{Manifest, MediaType};

/// A layout in a temporary directory, which goes with it.
pub(crate) struct Fixture {
    dir: TempDir,
}

/// An image manifest that differs from others by `text` and says its own media type.
pub(crate) fn image(text: &str) -> Manifest {
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","annotations":{{"text":"{text}"}}}}"#,
        MediaType::OCI_MANIFEST
    );
    manifest(body)
}

/// `body` as an image manifest.
pub(crate) fn manifest(body: String) -> Manifest {
    Manifest::received(Bytes::from(body), MediaType::OCI_MANIFEST, None).expect("a manifest")
}

/// An entry of `index.json` for `manifest`, with `rest` before its end.
pub(crate) fn entry(manifest: &Manifest, rest: &str) -> String {
    let descriptor = manifest.descriptor();
    format!(
        r#"{{"mediaType":"{}","digest":"{}","size":{}{rest}}}"#,
        descriptor.media_type, descriptor.digest, descriptor.size
    )
}

/// An entry of `index.json` for `manifest`, under `name`.
pub(crate) fn named(manifest: &Manifest, name: &str) -> String {
    let key = "org.opencontainers.image.ref.name";
    entry(manifest, &format!(r#","annotations":{{"{key}":"{name}"}}"#))
}

impl Fixture {
    /// A layout that holds nothing.
    pub(crate) fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        fixture.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        fixture.write_index(&[]);
        fixture
    }

    /// A layout with these images, each with its blob and under its tag.
    pub(crate) fn tagged(images: &[(&str, &Manifest)]) -> Self {
        let fixture = Self::new();
        let entries: Vec<String> = images.iter().map(|(tag, image)| named(image, tag)).collect();
        images.iter().for_each(|(_, image)| fixture.write_blob(image));
        fixture.write_index(&entries);
        fixture
    }

    /// The layout, opened anew.
    pub(crate) fn open(&self) -> Layout {
        Layout::open(self.path()).expect("a layout")
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The text of `index.json`.
    pub(crate) fn index(&self) -> String {
        fs::read_to_string(self.path().join("index.json")).expect("an index")
    }

    /// Replaces `index.json` by one with these entries.
    pub(crate) fn write_index(&self, entries: &[String]) {
        let entries = entries.join(",\n    ");
        self.write("index.json", &format!("{{\n  \"manifests\": [\n    {entries}\n  ]\n}}\n"));
    }

    /// Adds the blob of `manifest`, and nothing to the index.
    pub(crate) fn write_blob(&self, manifest: &Manifest) {
        let digest = manifest.digest();
        let path = format!("blobs/{}/{}", digest.algorithm(), digest.encoded());
        self.write(&path, std::str::from_utf8(manifest.bytes()).expect("text"));
    }

    /// Writes a file, and the directories above it.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("in the fixture")).expect("directories");
        fs::write(&path, text).expect("written");
        path
    }

    /// The names of all files and directories at the top.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let names = fs::read_dir(self.path()).expect("a directory").map(name);
        let mut names: Vec<String> = names.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }
}

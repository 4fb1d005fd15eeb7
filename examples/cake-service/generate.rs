//! Writes the OCI image layout of cake-service: three releases for two platforms.
//!
//! The layout beside this file is what it writes, byte for byte. To write it again:
//!
//! ```text
//! rm -r examples/cake-service/layout
//! cargo run -p plimsoll-examples --example cake-service -- examples/cake-service/layout
//! ```

mod program;
mod tar;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::program::Machine;

/// The exact versions of the image, in the order of their release.
const RELEASES: [(&str, &str); 3] = [
    ("1.2.3", "2025-03-03T09:00:00Z"),
    ("1.3.0", "2025-04-07T09:00:00Z"),
    // A fix for those who stay on 1.2, made after 1.3.0.
    ("1.2.4", "2025-04-21T09:00:00Z"),
];

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The files of a layout, by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("name the directory to write")?;
    Ok(write(Path::new(&directory), &layout())?)
}

/// Writes `files` into `directory`, which must not be there yet.
fn write(directory: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir(directory)?;
    for (path, bytes) in files {
        let path = directory.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

// The names in every `json!` are sorted: the bytes are then the same whether serde_json
// sorts them or, by a feature that some other crate may turn on, keeps their order.

fn layout() -> Files {
    let mut files = Files::new();
    let mut releases = RELEASES;
    releases.sort_unstable();
    let manifests: Vec<Value> =
        releases.iter().map(|(version, created)| image(&mut files, version, created)).collect();
    let index = json!({ "manifests": manifests, "mediaType": INDEX, "schemaVersion": 2 });
    files.insert("index.json".to_owned(), format!("{index:#}\n").into_bytes());
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    files.insert("oci-layout".to_owned(), layout.to_string().into_bytes());
    files
}

/// Adds one release for all platforms and returns its entry of `index.json`.
fn image(files: &mut Files, version: &str, created: &str) -> Value {
    let machines = [Machine::Amd64, Machine::Arm64];
    let children = machines.map(|machine| child(files, version, created, machine));
    let index = json!({
        "annotations": annotations(version, created),
        "manifests": children,
        "mediaType": INDEX,
        "schemaVersion": 2,
    });
    let blob = add(files, INDEX, index.to_string().into_bytes());
    json!({
        "annotations": {
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.ref.name": version,
            "org.opencontainers.image.version": version,
        },
        "digest": blob["digest"],
        "mediaType": INDEX,
        "size": blob["size"],
    })
}

/// Adds one release for one platform and returns its descriptor.
fn child(files: &mut Files, version: &str, created: &str, machine: Machine) -> Value {
    let base = tar::archive(&[
        tar::directory("etc/"),
        tar::file("etc/passwd", 0o644, b"cake:x:65532:65532:cake-service:/:/cake-service\n"),
    ]);
    let service = tar::archive(&[
        tar::file("cake-service", 0o755, &program::say(machine, &format!("cake {version}\n"))),
        tar::directory("etc/"),
        tar::directory("etc/cake/"),
        tar::file("etc/cake/version", 0o644, format!("{version}\n").as_bytes()),
    ]);
    let layers = [base, service].map(|layer| add(files, LAYER, layer));
    // A layer that is not compressed has one digest: that of the blob and of its content.
    let diff_ids = [&layers[0]["digest"], &layers[1]["digest"]];
    let config = json!({
        "architecture": machine.architecture(),
        "config": {
            "Entrypoint": ["/cake-service"],
            "Labels": annotations(version, created),
            "User": "65532:65532",
        },
        "created": created,
        "history": [
            { "created": created, "created_by": "the user of cake-service" },
            { "created": created, "created_by": "cake-service" },
        ],
        "os": "linux",
        "rootfs": { "diff_ids": diff_ids, "type": "layers" },
    });
    let manifest = json!({
        "annotations": annotations(version, created),
        "config": add(files, CONFIG, config.to_string().into_bytes()),
        "layers": layers,
        "mediaType": MANIFEST,
        "schemaVersion": 2,
    });
    let blob = add(files, MANIFEST, manifest.to_string().into_bytes());
    json!({
        "digest": blob["digest"],
        "mediaType": MANIFEST,
        "platform": { "architecture": machine.architecture(), "os": "linux" },
        "size": blob["size"],
    })
}

fn annotations(version: &str, created: &str) -> Value {
    json!({
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.title": "cake-service",
        "org.opencontainers.image.version": version,
    })
}

/// Adds a blob and returns its descriptor.
fn add(files: &mut Files, media_type: &str, bytes: Vec<u8>) -> Value {
    let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let size = bytes.len();
    files.insert(format!("blobs/sha256/{hex}"), bytes);
    json!({ "digest": format!("sha256:{hex}"), "mediaType": media_type, "size": size })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn committed() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cake-service/layout")
    }

    /// Every file below `directory`, by its path from `root`.
    fn read(root: &Path, directory: &Path, files: &mut Files) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                read(root, &path, files);
                continue;
            }
            let name = path.strip_prefix(root).expect("below the root");
            let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            files.insert(parts.join("/"), fs::read(&path).expect("a file"));
        }
    }

    #[test]
    fn the_committed_layout_is_what_this_program_writes() {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let written = temporary.path().join("layout");
        write(&written, &layout()).expect("written");
        let [mut expected, mut actual] = [Files::new(), Files::new()];
        read(&committed(), &committed(), &mut expected);
        read(&written, &written, &mut actual);
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&actual), names(&expected));
        for (name, bytes) in &actual {
            assert!(expected[name] == *bytes, "{name} differs");
        }
    }

    #[test]
    fn the_layout_is_small_and_has_the_exact_versions_only() {
        let files = layout();
        assert!(files.values().map(Vec::len).sum::<usize>() < 100_000);
        let index: Value = serde_json::from_slice(&files["index.json"]).expect("JSON");
        let entries = index["manifests"].as_array().expect("an array");
        let name = |entry: &Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned)
        };
        let names: Vec<_> = entries.iter().filter_map(name).collect();
        assert_eq!(names, ["1.2.3", "1.2.4", "1.3.0"]);
    }
}

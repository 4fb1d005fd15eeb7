//! What has to hold of every parser, whatever it is given: the targets of the fuzzer.
//!
//! Each takes any bytes, and panics when a property does not hold. `fuzz/` looks for bytes that
//! make one panic; the seeds there are also run as tests of this crate, so that what was found
//! once is found again.

mod tree;

use std::collections::HashSet;
use std::error::Error;

pub use crate::credential::fuzzing::{auth_file, docker_config};
pub use crate::http::fuzzing::{challenge, header, link, location, refusal, tag_list, text, token};
pub use tree::tree;

use crate::alias::AliasPolicy;
use crate::archive::index_tar;
use crate::content::Content;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::reference::Reference;
use crate::version::VersionTag;

/// What is done to a piece of input: it panics when something does not hold.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 15] = [
    ("auth_file", auth_file),
    ("challenge", challenge),
    ("docker_config", docker_config),
    ("header", header),
    ("link", link),
    ("location", location),
    ("manifest", manifest),
    ("reference", reference),
    ("refusal", refusal),
    ("tag_list", tag_list),
    ("tar", tar),
    ("text", text),
    ("token", token),
    ("tree", tree),
    ("version", version),
];

/// The longest piece of input that a message may repeat, in bytes: 300 characters, each of
/// which takes up to ten when it is escaped.
const LONGEST_MESSAGE: usize = 8 << 10;

/// A reference means the same when it is written as it is shown.
pub fn reference(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match text.parse::<Reference>() {
        Ok(reference) => {
            let shown = reference.to_string();
            assert_eq!(shown.parse::<Reference>().as_ref(), Ok(&reference), "{shown:?}");
            if let Some(tag) = reference.tag() {
                let other = reference.with_tag(tag).to_string();
                assert!(text.starts_with(&other) || reference.location().path().is_none());
            }
        }
        Err(error) => check_message(&error),
    }
}

/// Three versions, one a line: each is shown as it is read, and they have one order.
pub fn version(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut versions = Vec::new();
    for line in text.lines().take(3) {
        match line.parse::<VersionTag>() {
            Ok(version) => versions.push(version),
            Err(error) => check_message(&error),
        }
    }
    for version in &versions {
        assert_eq!(version.to_string().parse::<VersionTag>().as_ref(), Ok(version));
        assert!(version.precedence(version).is_eq());
        for alias in AliasPolicy::default().aliases(version) {
            assert!(alias.tag.as_str().len() <= version.tag().as_str().len().max("latest".len()));
        }
        for other in &versions {
            let order = version.precedence(other);
            assert_eq!(order, other.precedence(version).reverse(), "{version} {other}");
            for third in &versions {
                if order.is_le() && other.precedence(third).is_le() {
                    assert!(version.precedence(third).is_le(), "{version} {other} {third}");
                }
            }
        }
    }
}

/// A media type in the first line, a manifest in the rest: it is kept to the byte, and lists no
/// more than it has room for.
pub fn manifest(data: &[u8]) {
    let (header, body) = head(data);
    let body = bytes::Bytes::copy_from_slice(body);
    let manifest = match Manifest::received(body.clone(), &header, None) {
        Ok(manifest) => manifest,
        Err(error) => return check_message(&error),
    };
    assert_eq!(manifest.bytes(), &body);
    assert_eq!(manifest.descriptor().size, body.len() as u64);
    assert_eq!(manifest.digest(), &Digest::sha256(&body));
    let content = match Content::of(&manifest) {
        Ok(content) => content,
        Err(error) => return check_message(&error),
    };
    let children = content.children.iter().map(|child| &child.descriptor);
    let blobs = content.blobs.iter().map(|blob| &blob.descriptor);
    let listed: Vec<_> = children.chain(blobs).chain(&content.subject).collect();
    // A descriptor without its digest and size is none, and no digest is shorter than 32 bytes.
    assert!(listed.len() * 32 <= body.len());
    for descriptor in listed {
        assert_eq!(descriptor.digest.as_str().parse().as_ref(), Ok(&descriptor.digest));
    }
}

/// Files of a tar file lie within it and apart, under names that lead nowhere else.
pub fn tar(data: &[u8]) {
    let files = match index_tar(data) {
        Ok(files) => files,
        Err(error) => return check_message(&error),
    };
    let mut names = HashSet::new();
    let mut end = 0;
    for (name, span) in files {
        // A header goes before each.
        assert!(span.start >= end + 512 && span.end >= span.start, "{name:?}: {span:?}");
        end = span.end;
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        assert!(name.split('/').all(is_plain), "{name:?}");
        assert!(names.insert(name));
    }
    assert!(end <= data.len() as u64);
}

/// The first line of `data`, as text, and the rest.
pub(crate) fn head(data: &[u8]) -> (String, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let rest = data.get(end + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&data[..end]).into_owned(), rest)
}

/// An error is short, and nothing in it moves a cursor.
pub(crate) fn check_message(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let message = error.to_string();
        assert!(message.len() <= LONGEST_MESSAGE, "{} bytes", message.len());
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn names(directory: &Path, suffix: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(directory).expect("a directory of the checkout");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        let names = entries.map(|entry| name(entry.expect("an entry")));
        names.map(|name| name.trim_end_matches(suffix).to_owned()).collect()
    }

    #[test]
    fn what_the_fuzzer_starts_from_and_once_found_holds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let all: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&fuzz.join("seeds"), ""), all);
        assert_eq!(names(&fuzz.join("fuzz_targets"), ".rs"), all);
        for (name, target) in TARGETS {
            let directory = fuzz.join("seeds").join(name);
            for seed in names(&directory, "") {
                let data = fs::read(directory.join(&seed)).expect("a seed");
                let outcome = std::panic::catch_unwind(|| target(&data));
                assert!(outcome.is_ok(), "fuzz/seeds/{name}/{seed}");
            }
            target(b"");
        }
    }
}

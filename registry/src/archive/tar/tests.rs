use proptest::prelude::*;

use super::*;
use crate::archive::fixture::{archive, entry, file, padded, sealed};

fn read(bytes: &[u8]) -> Result<Tar, TarError> {
    Tar::read(bytes)
}

fn content<'a>(bytes: &'a [u8], path: &str) -> &'a [u8] {
    let tar = read(bytes).expect("legal");
    let data = tar.linked_file(path).expect("a file").expect("there").data.clone();
    &bytes[data.start as usize..data.end as usize]
}

fn refused(bytes: &[u8], message: &str) {
    let error = read(bytes).expect_err(message);
    let source = std::error::Error::source(&error);
    let source = source.map(|source| format!(": {source}")).unwrap_or_default();
    assert_eq!(format!("{error}{source}"), message);
}

#[test]
fn names_are_found_however_they_are_written() {
    let long = "d/".repeat(70) + "x";
    let pax = pax::record("path", "./pax//name");
    let global = pax::record("comment", "x");
    let bytes = archive(&[
        entry("./", b'5', "", b""),
        entry("pax_global_header", b'g', "", global.as_bytes()),
        file("./index.json", b"{}"),
        entry("old/", 0, "", b""),
        entry("old", b'5', "", b""),
        entry("old/file", 0, "", b"v7"),
        entry("x", b'x', "", pax.as_bytes()),
        file("cut", b"pax"),
        entry("././@LongLink", b'L', "", format!("{long}\0").as_bytes()),
        file("cut", b"gnu"),
        [Header::of_file(&format!("b{long}"), 1), vec![b'!'; 512]].concat(),
    ]);
    for (path, expected) in [
        ("index.json", "{}"),
        ("old/file", "v7"),
        ("pax/name", "pax"),
        (&long, "gnu"),
        (&format!("b{long}"), "!"),
    ] {
        assert_eq!(content(&bytes, path), expected.as_bytes(), "{path}");
    }
    let tar = read(&bytes).expect("legal");
    assert_eq!(tar.end(), bytes.len() as u64 - 1024);
    let pax = tar.get("pax/name").expect("there");
    assert_eq!(pax.span, pax.header - 1024..pax.header + 1024);
}

#[test]
fn sizes_are_octal_or_binary_or_extended() {
    let mut block = [0; 512];
    block.copy_from_slice(&file("a", b"123")[..512]);
    block[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x03");
    let bytes = archive(&[padded(&sealed(block), b"abc")]);
    assert_eq!(content(&bytes, "a"), b"abc");
    block[124..136].copy_from_slice(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    refused(&archive(&[padded(&sealed(block), b"abc")]), "the header at byte 0 is damaged");
    block[124..136].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    refused(
        &archive(&[padded(&sealed(block), b"abc")]),
        "it is cut off: it has 2048 bytes, and \"a\" goes to byte 9223372036854776319",
    );
    block[124..136].copy_from_slice(b"0000000000x\0");
    refused(&archive(&[padded(&sealed(block), b"abc")]), "the header at byte 0 is damaged");
    // What Header writes for nine gigabytes is read back, though the file does not have them.
    let huge = [Header::of_file("a", 9 << 30), vec![0; 1024]].concat();
    refused(&huge, "it is cut off: it has 2560 bytes, and \"a\" goes to byte 9663677952");
}

#[test]
fn what_readers_could_disagree_on_is_refused() {
    let pax = |record: &str| entry("x", b'x', "", record.as_bytes());
    let path = || pax(&pax::record("path", "b"));
    for (entries, message) in [
        (vec![file("a", b"1"), file("./a", b"2")], "\"a\" is there twice"),
        (vec![file("a", b"1"), entry("a", b'5', "", b"")], "\"a\" is there twice"),
        (vec![entry("a", b'2', "b", b"content")], "\"a\" has content, and is no file"),
        (vec![entry("a", b'S', "", b"")], "\"a\" is a sparse file"),
        (
            vec![pax(&pax::record("GNU.sparse.major", "1")), file("a", b"")],
            "\"a\" is a sparse file",
        ),
        (vec![path(), path(), file("a", b"")], "the entry at byte 1024 has two names"),
        (
            vec![path(), entry("L", b'L', "", b"c\0"), file("a", b"")],
            "the entry at byte 2048 has two names",
        ),
        (
            vec![entry("g", b'g', "", pax::record("size", "1").as_bytes()), file("a", b"")],
            "the entry at byte 0 has two names",
        ),
        (vec![path()], "the header at byte 0 is damaged"),
        (vec![vec![0; 512], file("a", b"")], "the header at byte 0 is damaged"),
        (
            vec![pax("12 path=abcd"), file("a", b"")],
            "the extended header at byte 0 is damaged: \
             it has a line of another length than it says",
        ),
        (
            vec![pax("8 size=\n"), file("a", b"")],
            "the extended header at byte 0 is damaged: \"\" is no size",
        ),
        (
            vec![pax("8 path=\n8 path=\n"), file("a", b"")],
            "the extended header at byte 0 is damaged: path is there twice",
        ),
    ] {
        refused(&archive(&entries), message);
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    let name = |path: &str| archive(&[file(path, b"")]);
    let illegal = "the entry at byte 0 has an illegal name: ";
    refused(&name("../x"), &format!("{illegal}\"../x\" leads out of the archive"));
    refused(&name("a/../../x"), &format!("{illegal}\"a/../../x\" leads out of the archive"));
    refused(&name("/etc/x"), &format!("{illegal}\"/etc/x\" starts at the root of the file system"));
    refused(&name(""), &format!("{illegal}it has none"));
    refused(&name("./"), &format!("{illegal}it has none"));
    let mut latin = file("a", b"");
    latin[0] = 0xe9;
    let mut block = [0; 512];
    block.copy_from_slice(&latin);
    refused(&archive(&[sealed(block).to_vec()]), &format!("{illegal}\"\u{fffd}\" is no UTF-8"));
    let zero = entry("x", b'x', "", pax::record("path", "a\0b").as_bytes());
    refused(
        &archive(&[zero, file("a", b"")]),
        "the extended header at byte 0 is damaged: \"a\\0b\" has a zero byte",
    );
    let long = Header::of_file("a", 1 << 20);
    let mut block = [0; 512];
    block.copy_from_slice(&long);
    block[156] = b'L';
    refused(&archive(&[sealed(block).to_vec()]), "the entry at byte 0 has a name of 1048576 bytes");
}

#[test]
fn links_are_followed_within_the_archive_and_only_when_asked() {
    let bytes = archive(&[
        file("one/layer.tar", b"layer"),
        entry("two/layer.tar", b'2', "../one/layer.tar", b""),
        entry("three", b'1', "two/layer.tar", b""),
        entry("loop", b'2', "./loop", b""),
        entry("out", b'2', "../x", b""),
        entry("root", b'2', "/one/layer.tar", b""),
        entry("dir", b'5', "", b""),
        entry("to-dir", b'2', "dir", b""),
        entry("pipe", b'6', "", b""),
    ]);
    assert_eq!(content(&bytes, "two/layer.tar"), b"layer");
    assert_eq!(content(&bytes, "three"), b"layer");
    let tar = read(&bytes).expect("legal");
    assert!(tar.linked_file("none").expect("absent").is_none());
    for (path, message) in [
        ("loop", "\"loop\" is a link that leads to itself"),
        ("out", "\"out\" is a link to \"../x\", which is not in the archive"),
        ("root", "\"root\" is a link to \"/one/layer.tar\", which is not in the archive"),
        ("to-dir", "\"dir\" is a directory, not a file"),
        ("pipe", "\"pipe\" is something special, not a file"),
    ] {
        assert_eq!(tar.linked_file(path).expect_err(path).to_string(), message, "{path}");
    }
    let error = tar.file("two/layer.tar").expect_err("a link").to_string();
    assert_eq!(error, "\"two/layer.tar\" is a symbolic link, not a file");
}

#[test]
fn what_is_no_tar_file_or_half_of_one_is_named() {
    refused(b"", "it is cut off: it has 0 bytes, and the mark that ends it goes to byte 512");
    refused(&[b'x'; 1024], "it is no tar file");
    refused(b"\x1f\x8b\x08rest", "it is compressed with gzip");
    refused(b"\x28\xb5\x2f\xfdrest", "it is compressed with zstd");
    let whole = archive(&[file("a", &[7; 600]), file("b", b"1")]);
    for cut in 0..whole.len() {
        let result = read(&whole[..cut]);
        // One half of the mark is enough.
        assert_eq!(result.is_ok(), cut == whole.len() - 512, "{cut}");
    }
    let mut damaged = whole;
    damaged[2048 - 512 + 3] ^= 1;
    refused(&damaged, "the header at byte 1536 is damaged");
}

proptest! {
    #[test]
    fn any_bytes_are_indexed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        if let Ok(tar) = read(&bytes) {
            check(&tar, &bytes);
        }
    }

    #[test]
    fn a_changed_archive_is_indexed_within_its_bounds_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        seal in any::<bool>(),
    ) {
        let mut bytes = archive(&[
            entry("x", b'x', "", pax::record("path", "long/name").as_bytes()),
            file("a", &[7; 700]),
            entry("L", b'L', "", b"other/name\0"),
            entry("b", b'2', "../a", b""),
        ]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if seal {
                // Behind a right checksum the other fields matter.
                let start = at / 512 * 512;
                let block: [u8; 512] = bytes[start..start + 512].try_into().expect("a block");
                bytes[start..start + 512].copy_from_slice(&sealed(block));
            }
        }
        if let Ok(tar) = read(&bytes) {
            check(&tar, &bytes);
        }
    }
}

/// Everything lies in the file, one entry after the other, and every link ends somewhere.
fn check(tar: &Tar, bytes: &[u8]) {
    let mut end = 0;
    for entry in tar.entries() {
        assert!(end <= entry.span.start && entry.span.start <= entry.header);
        assert!(entry.header < entry.data.start && entry.data.start <= entry.data.end);
        assert!(entry.data.end <= entry.span.end && entry.span.end <= bytes.len() as u64);
        assert!(!entry.path.split('/').any(|part| part == ".."));
        let _ = tar.linked_file(&entry.path);
        end = entry.span.end;
    }
}

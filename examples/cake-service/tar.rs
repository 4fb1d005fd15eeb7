//! Tar archives with no trace of when or by whom they were made.

const BLOCK: usize = 512;

/// A directory; its name ends with a slash.
pub(crate) fn directory(name: &str) -> Vec<u8> {
    entry(name, b'5', 0o755, b"")
}

/// A file, and its content up to the next full block.
pub(crate) fn file(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    entry(name, b'0', mode, content)
}

/// The archive of `entries`, with the two empty blocks that end it.
pub(crate) fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = entries.concat();
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// A ustar header of POSIX.1-1988 and the content: root's, of 1970.
fn entry(name: &str, kind: u8, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000"); // user
    put(116, "0000000"); // group
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000"); // time
    put(148, "        "); // the checksum counts itself as spaces
    put(257, "ustar\x0000");
    header[156] = kind;
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut entry = [&header, content].concat();
    entry.resize(entry.len().next_multiple_of(BLOCK), 0);
    entry
}

//! Extended headers, as POSIX's pax writes them: `length key=value` lines.

use super::path::{self, PathError};

/// What an extended header says of its entry, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<String>,
    pub(super) link: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) sparse: bool,
}

/// An extended header that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::archive) enum PaxError {
    #[error("it has a line of another length than it says")]
    Line,
    #[error("{0} is there twice")]
    Twice(&'static str),
    #[error("{0:?} is no size")]
    Size(String),
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Pax {
    pub(super) fn parse(mut content: &[u8]) -> Result<Self, PaxError> {
        let mut pax = Self::default();
        while !content.is_empty() {
            let (key, value, rest) = line(content).ok_or(PaxError::Line)?;
            content = rest;
            match key {
                b"path" => once(&mut pax.path, path::text(value)?, "path")?,
                b"linkpath" => once(&mut pax.link, path::text(value)?, "linkpath")?,
                b"size" => once(&mut pax.size, size(value)?, "size")?,
                key if key.starts_with(b"GNU.sparse.") => pax.sparse = true,
                _ => {}
            }
        }
        Ok(pax)
    }
}

/// A line of an extended header, which says its own length.
pub(super) fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    // The digits of the length count as well.
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// Key and value of the first line, and what comes behind it.
fn line(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&content[..space]).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: usize = digits.parse().ok()?;
    let (line, rest) = content.split_at_checked(length)?;
    let line = line.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some((&line[..equals], &line[equals + 1..], rest))
}

fn once<T>(slot: &mut Option<T>, value: T, key: &'static str) -> Result<(), PaxError> {
    if slot.replace(value).is_some() { Err(PaxError::Twice(key)) } else { Ok(()) }
}

fn size(value: &[u8]) -> Result<u64, PaxError> {
    let text = String::from_utf8_lossy(value);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = if digits { text.parse().ok() } else { None };
    size.ok_or_else(|| PaxError::Size(text.chars().take(40).collect()))
}

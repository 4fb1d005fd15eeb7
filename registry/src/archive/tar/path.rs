//! The names of entries: relative to the archive, and within it.

/// A name that an entry may not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::archive) enum PathError {
    #[error("it has none")]
    Empty,
    #[error("{0:?} is no UTF-8")]
    NoText(String),
    #[error("{0:?} has a zero byte")]
    Zero(String),
    #[error("{0:?} starts at the root of the file system")]
    Absolute(String),
    #[error("{0:?} leads out of the archive")]
    Outside(String),
}

/// `name` as text.
pub(super) fn text(name: &[u8]) -> Result<String, PathError> {
    match std::str::from_utf8(name) {
        Ok(text) if text.contains('\0') => Err(PathError::Zero(start(text))),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(PathError::NoText(start(&String::from_utf8_lossy(name)))),
    }
}

/// `name` without dots and doubled slashes; empty for the archive itself.
pub(super) fn normal(name: &str) -> Result<String, PathError> {
    if name.is_empty() {
        return Err(PathError::Empty);
    }
    if name.starts_with('/') {
        return Err(PathError::Absolute(start(name)));
    }
    let parts: Vec<&str> =
        name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(PathError::Outside(start(name)));
    }
    Ok(parts.join("/"))
}

/// Names of archives go to terminals: not all of them, if they are long.
fn start(name: &str) -> String {
    name.chars().take(120).collect()
}

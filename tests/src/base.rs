//! The Debian that all other images are built on.

use std::io::{Read, Seek, SeekFrom};
use std::process::{ExitStatus, Stdio};

use plimsoll_harness::{Engine, MachineLock};
use tokio::process::Command;

use crate::image::{BuildError, exists, import, pull};

/// What is used if it is on the engine, or can be pulled.
const DEBIAN: &str = "debian:bookworm-slim";

/// What is made where it is not. It does not take Debian's own name, which would shadow the
/// image that everyone else means by it.
const BOOTSTRAPPED: &str = "plimsoll-test/debian:bookworm";

/// The base image: from the engine, else pulled, else bootstrapped from a Debian mirror.
///
/// # Errors
///
/// None of the three works; the error says what to install.
pub async fn base(engine: &Engine) -> Result<&'static str, BuildError> {
    if let Some(present) = present(engine).await? {
        return Ok(present);
    }
    let _lock = MachineLock::acquire("base").await.map_err(BuildError::Lock)?;
    if let Some(present) = present(engine).await? {
        return Ok(present);
    }
    let Err(pulling) = pull(engine, DEBIAN).await else { return Ok(DEBIAN) };
    let root = bootstrap(&pulling).await?;
    import(engine, BOOTSTRAPPED, root, &["CMD [\"bash\"]"]).await?;
    Ok(BOOTSTRAPPED)
}

async fn present(engine: &Engine) -> Result<Option<&'static str>, BuildError> {
    for image in [DEBIAN, BOOTSTRAPPED] {
        if exists(engine, image).await? {
            return Ok(Some(image));
        }
    }
    Ok(None)
}

/// A root file system as a tar archive.
async fn bootstrap(pulling: &BuildError) -> Result<Vec<u8>, BuildError> {
    let failed = |reason: String| BuildError::NoBase {
        image: DEBIAN,
        pulling: in_full(pulling),
        bootstrapping: reason,
    };
    let (mut root, mut messages) = match (tempfile::tempfile(), tempfile::tempfile()) {
        (Ok(root), Ok(messages)) => (root, messages),
        (Err(error), _) | (_, Err(error)) => return Err(failed(error.to_string())),
    };
    let status = mmdebstrap(root.try_clone(), messages.try_clone()).await;
    let status = status.map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    let _ = messages.seek(SeekFrom::Start(0)).and_then(|_| messages.read_to_string(&mut text));
    if !status.success() {
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(10)..].join("\n    ");
        return Err(failed(format!("{status}\n    {last}")));
    }
    let mut bytes = Vec::new();
    root.seek(SeekFrom::Start(0))
        .and_then(|_| root.read_to_end(&mut bytes))
        .map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

async fn mmdebstrap(
    root: std::io::Result<std::fs::File>,
    messages: std::io::Result<std::fs::File>,
) -> std::io::Result<ExitStatus> {
    Command::new("mmdebstrap")
        .args(["--variant=minbase", "bookworm", "-"])
        .stdin(Stdio::null())
        .stdout(root?)
        .stderr(messages?)
        .kill_on_drop(true)
        .status()
        .await
}

fn in_full(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", in_full(source)),
        None => error.to_string(),
    }
}

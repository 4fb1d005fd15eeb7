//! One builder at a time, across the threads of a process and the processes of a machine.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Held until dropped; the end of the process, however it comes, lets go as well.
#[derive(Debug)]
pub(crate) struct BuildLock {
    _file: File,
}

impl BuildLock {
    /// Waits for its turn. The files are in the temporary directory, not in the target
    /// directory: what they guard is the engine, and all checkouts share it.
    pub(crate) async fn acquire(name: &str) -> io::Result<Self> {
        let path = directory()?.join(name.replace(['/', ':'], "-")).with_extension("lock");
        let waiting = tokio::task::spawn_blocking(move || lock(&path));
        let file = waiting.await.map_err(io::Error::other)??;
        Ok(Self { _file: file })
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// One per user: another user's files could not be opened.
fn directory() -> io::Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    let path = std::env::temp_dir().join(format!("plimsoll-images-{user}"));
    fs::create_dir_all(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_at_a_time_within_a_process() {
        let inside = Arc::new(AtomicU32::new(0));
        let name = format!("test-{}", std::process::id());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (inside, name) = (inside.clone(), name.clone());
                tokio::spawn(async move {
                    let _lock = BuildLock::acquire(&name).await.unwrap();
                    let others = inside.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    others
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 0);
        }
    }
}

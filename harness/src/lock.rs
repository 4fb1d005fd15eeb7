//! One at a time, across the threads of a process and the processes of a machine.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A turn at something that is made once on an engine, such as an image that many tests need.
///
/// It is held until dropped; the end of the process, however it comes, lets go as well. Pulls and
/// builds of [`crate::ImageDefinition`] take turns by themselves.
///
/// ```no_run
/// # async fn prepare() -> Result<(), Box<dyn std::error::Error>> {
/// let _turn = plimsoll_harness::MachineLock::acquire("acme/fixtures:1").await?;
/// // Whoever comes second finds it made.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

impl MachineLock {
    /// Waits for the turn, behind all tests of this user that ask by the same name.
    ///
    /// # Errors
    ///
    /// The file that is locked cannot be made in the temporary directory.
    pub async fn acquire(name: &str) -> io::Result<Self> {
        // Not in the target directory: what is guarded is the engine, and all checkouts share it.
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
    let mut path = std::env::temp_dir().join("plimsoll-images");
    // Where there is no /proc, the temporary directory is the user's own.
    if let Ok(process) = fs::metadata("/proc/self") {
        path.set_file_name(format!("plimsoll-images-{}", process.uid()));
    }
    fs::create_dir_all(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time_within_a_process() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let inside = Arc::new(AtomicU32::new(0));
        let name = format!("test-{}", std::process::id());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (inside, name) = (inside.clone(), name.clone());
                runtime.spawn(async move {
                    let _lock = MachineLock::acquire(&name).await.unwrap();
                    let others = inside.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    others
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(runtime.block_on(task).unwrap(), 0);
        }
    }
}

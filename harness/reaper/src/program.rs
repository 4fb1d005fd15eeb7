//! The second process.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::exit;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, poll};
#[cfg(target_os = "linux")]
use rustix::io::{Errno, retry_on_intr};
#[cfg(target_os = "linux")]
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use testcontainers::bollard::Docker;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::identity::Identity;
use crate::leftovers::Leftovers;
use crate::orders::{Orders, Watch};
use crate::reaper::{BEGINS, ENDS, ENVIRONMENT, NAME, READY};

/// The file that is locked while something of a run is in use.
pub const LEASE_FILE: &str = "lease";
/// The file that the reaper of a run keeps locked.
pub const REAPER_FILE: &str = "reaper";

/// How long a creation that nobody heard the end of may still take.
const LINGER: Duration = Duration::from_secs(10);
/// How long an engine that does not answer, or does not remove, is asked again.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pauses between two looks at the engine.
const PACE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Whether this process was started to be a reaper. Nobody gets both by accident: the variable
/// may be inherited, but the program's name is not.
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os(ENVIRONMENT).is_some() && name().is_some_and(|name| name == NAME)
}

/// The name this process was started by. musl hands `main` its arguments and nobody before it.
#[cfg(target_os = "linux")]
fn name() -> Option<String> {
    let line = fs::read_to_string("/proc/self/cmdline").ok()?;
    line.split('\0').next().map(str::to_owned)
}

#[cfg(not(target_os = "linux"))]
fn name() -> Option<String> {
    std::env::args_os().next()?.into_string().ok()
}

/// Runs as the reaper, and never returns to what this executable would do otherwise.
pub(crate) fn run() -> ! {
    let outcome = catch_unwind(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve())
    });
    exit(i32::from(!matches!(outcome, Ok(Ok(())))));
}

async fn serve() -> io::Result<()> {
    // Out of reach of Ctrl-C, and of a runner that kills the process group of a test. Fails for
    // the leader of a group, which nobody starts it as.
    rustix::process::setsid()?;
    // No directory stays busy because of it.
    std::env::set_current_dir("/")?;
    let _ignored = ignore_signals()?;
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let mut input = BufReader::new(pipe::Receiver::from_owned_fd(input)?);
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let orders: Orders = serde_json::from_str(&line)?;
    let _reaping = match &orders.watch {
        Watch::Pipe => None,
        Watch::Runner { directory } => Some(lock_as_reaper(directory)?),
    };
    report_ready()?;
    let unanswered = match &orders.watch {
        Watch::Pipe => unanswered_at_the_end(&mut input).await,
        Watch::Runner { directory } => {
            end_of(&orders.owner).await?;
            unused(directory.join(LEASE_FILE)).await?;
            // The killed ones among its processes told nobody what they were about to create.
            true
        }
    };
    clear(&orders, unanswered).await;
    if let Watch::Runner { directory } = &orders.watch {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

/// Signals with a listener do nothing else. SIGPIPE is among them: the runtime of `main`, which
/// would ignore it, has not been here.
fn ignore_signals() -> io::Result<Vec<Signal>> {
    let kinds = [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::terminate(),
        SignalKind::pipe(),
    ];
    kinds.into_iter().map(signal).collect()
}

fn lock_as_reaper(directory: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(directory.join(REAPER_FILE))?;
    file.try_lock()?;
    Ok(file)
}

fn report_ready() -> io::Result<()> {
    let output = io::stdout();
    rustix::io::write(output.as_fd(), &[READY])?;
    // Closes the pipe: who started it is told by its end too.
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(())
}

/// Waits for the end of the pipe; says whether a creation had begun and not ended by then.
async fn unanswered_at_the_end(input: &mut BufReader<pipe::Receiver>) -> bool {
    let mut open = 0_i64;
    let mut notes = [0; 64];
    while let Ok(count @ 1..) = input.read(&mut notes).await {
        for note in &notes[..count] {
            open += i64::from(*note == BEGINS) - i64::from(*note == ENDS);
        }
    }
    open > 0
}

/// Waits for the end of a process that is not a child.
#[cfg(target_os = "linux")]
async fn end_of(process: &Identity) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid.cast_signed()) else { return Ok(()) };
    let handle: OwnedFd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // Now the number cannot be given to another; it may have been before.
    if Identity::of(process.pid).as_ref() == Some(process) {
        let waiting = tokio::task::spawn_blocking(move || {
            retry_on_intr(|| poll(&mut [PollFd::new(&handle, PollFlags::IN)], None)).map(drop)
        });
        waiting.await.map_err(io::Error::other)??;
    }
    Ok(())
}

/// No other system says when: there a run is shared by the threads of a process only.
#[cfg(not(target_os = "linux"))]
async fn end_of(_: &Identity) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits until nobody holds the lease, and keeps everybody from taking it until the end of this
/// process.
async fn unused(lease: impl AsRef<Path>) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(lease)?;
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    std::mem::forget(waiting.await.map_err(io::Error::other)??);
    Ok(())
}

/// Whether somebody uses what this lease is for.
#[must_use]
pub fn lease_is_held(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => false,
        Ok(Err(TryLockError::WouldBlock)) => true,
        // That nobody holds it is not known.
        Ok(Err(TryLockError::Error(_))) => true,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes everything of the owner. A request that was on its way when the process was killed may
/// be carried out later than this looks, and no event says so: if there was one, it keeps looking.
async fn clear(orders: &Orders, unanswered: bool) {
    let labels = orders.labels();
    let begun = Instant::now();
    let mut pause = PACE.0;
    while begun.elapsed() < PATIENCE {
        let nothing = clear_once(orders, &labels).await;
        if nothing && !(unanswered && begun.elapsed() < LINGER) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PACE.1);
    }
}

/// One look; says whether there was nothing to remove.
async fn clear_once(orders: &Orders, labels: &[String]) -> bool {
    let found = async {
        let docker: Docker = orders.engine.client()?;
        let found = Leftovers::find(&docker, labels).await?;
        found.remove(&docker).await;
        Ok::<_, testcontainers::bollard::errors::Error>(found.is_empty())
    };
    found.await.unwrap_or(false)
}

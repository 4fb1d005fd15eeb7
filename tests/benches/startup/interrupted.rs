//! How long containers that ignore SIGTERM outlive the Ctrl-C of their test.

use std::process::Stdio;
use std::time::{Duration, Instant};

use plimsoll_harness::Engine;
use plimsoll_reaper::Leftovers;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::Error;

/// From the signal to nothing of ten containers and their network being there.
pub(crate) async fn ten(engine: &Engine, image: &str) -> Result<Duration, Error> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lives"));
    command.args(["hold", image, "10"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ctrl-C is sent to a group, and this is not to be in it.
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let pid = child.id().ok_or("it has ended")?.cast_signed();
    let stdout = child.stdout.take().ok_or("it is piped")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    if line.as_deref() != Some("ready") {
        return Err(format!("it said {line:?}").into());
    }
    let begun = Instant::now();
    kill_process_group(Pid::from_raw(pid).ok_or("no pid")?, Signal::INT)?;
    loop {
        let label = format!("dev.plimsoll.pid={pid}");
        let found = engine.call(|docker| async move { Leftovers::find(&docker, &[label]).await });
        if found.await?.is_empty() {
            return Ok(begun.elapsed());
        }
    }
}

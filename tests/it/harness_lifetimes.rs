//! Nothing is left behind, however a process ends; and what a run shares is made once.
//!
//! Processes here are `programs/lives.rs`, or this very binary under `cargo nextest`.

mod endings;
mod killed;
mod nextest;
mod runtimes;
mod shared;
mod sweep;

use std::process::Stdio;
use std::time::{Duration, Instant};

use plimsoll_harness::Engine;
use plimsoll_reaper::Leftovers;
use plimsoll_tests::image::SCRATCH;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::Error;

/// Longer than any of these tests takes.
const NEVER: Duration = Duration::from_secs(120);

/// Whoever kills many processes takes turns: engines have addresses for some thirty networks, and
/// those of the killed are there until their reapers have been.
const KILLS: &str = "plimsoll-test-kills";

/// A process of `programs/lives.rs`.
pub(crate) struct Process {
    pub(crate) child: Child,
    pid: u32,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) async fn start(engine: &Engine, args: &[&str]) -> Result<Self, Error> {
        Self::start_in(engine, args, &[]).await
    }

    /// In a process group of its own, as nextest does it. The image goes after the first argument.
    async fn start_in(
        engine: &Engine,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let image = SCRATCH.ensure(engine).await?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_lives"));
        command.arg(args[0]).arg(image).args(&args[1..]);
        command.env_remove("NEXTEST_RUN_ID").envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let pid = child.id().expect("it has not been waited for");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Ok(Self { child, pid, lines })
    }

    /// What it says next.
    pub(crate) async fn line(&mut self) -> Result<String, Error> {
        let line = tokio::time::timeout(NEVER, self.lines.next_line()).await??;
        line.ok_or_else(|| "it has ended without a word".into())
    }

    /// What is on the engine with its labels.
    pub(crate) fn label(&self) -> String {
        format!("dev.plimsoll.pid={}", self.pid)
    }
}

/// Everything on the engine with a label.
async fn find(engine: &Engine, label: String) -> Result<Leftovers, Error> {
    Ok(engine.call(|docker| async move { Leftovers::find(&docker, &[label]).await }).await?)
}

/// Waits until there is nothing with a label; says how long that took.
pub(crate) async fn gone(engine: &Engine, label: &str) -> Result<Duration, Error> {
    let begun = Instant::now();
    // The engine has events for what is removed, but none for there being nothing.
    while !find(engine, label.to_owned()).await?.is_empty() {
        if begun.elapsed() > NEVER {
            return Err(format!("{label} is still there").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(begun.elapsed())
}

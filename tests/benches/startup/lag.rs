//! What the harness adds to the engine's own news: of an exit, to each kind of wait; of the end of a
//! command.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use plimsoll_harness::testcontainers::bollard::Docker;
use plimsoll_harness::testcontainers::bollard::errors::Error as ApiError;
use plimsoll_harness::testcontainers::bollard::exec::{
    CreateExecOptions, StartExecOptions, StartExecResults,
};
use plimsoll_harness::testcontainers::bollard::query_parameters::WaitContainerOptions;
use plimsoll_harness::{
    Condition, Container, ContainerDefinition, Engine, ExecWait, Healthcheck, HttpWait, LogWait,
    Wait, WaitError,
};

use crate::Error;

/// Each kind of wait, none of which comes true.
pub(crate) fn waits() -> Vec<(&'static str, Wait)> {
    let never = || Condition::until("never", |_| async { Err("not yet".into()) });
    vec![
        ("a log line", LogWait::either("never written").into()),
        ("HTTP", HttpWait::get("/").port(80).into()),
        ("a port", Condition::Port(80).into()),
        ("a health check", Condition::Healthcheck.into()),
        ("a command", ExecWait::new(["/busybox", "false"]).into()),
        ("another exit", Condition::Exit(0).into()),
        ("a function", never().into()),
        ("all", Condition::all([Condition::Port(80), never()]).into()),
        ("any", Condition::any([Condition::Port(80), never()]).into()),
    ]
}

async fn sleeper(image: &str) -> Result<Container, Error> {
    let definition = ContainerDefinition::new("lag", image)
        .cmd(["sh", "-c", "echo ready; exec /busybox sleep 600"])
        .publish(80)
        .healthcheck(Healthcheck::command(["/busybox", "false"]))
        .ready(LogWait::stdout("ready"));
    Ok(definition.start().await?)
}

/// How much later than the engine's own news of the exit the wait fails.
pub(crate) async fn of_exit(engine: &Engine, image: &str, wait: &Wait) -> Result<Duration, Error> {
    let container = sleeper(image).await?;
    let id = container.id().to_owned();
    let news = engine.call(|docker| async move {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        match docker.wait_container(&id, Some(options)).next().await {
            Some(Ok(_) | Err(ApiError::DockerContainerWaitError { .. })) => Ok(Instant::now()),
            other => Err(format!("the engine said {other:?}")),
        }
    });
    let failing = async {
        let failed = container.wait(wait.clone()).await;
        (failed, Instant::now())
    };
    let (news, (failed, then), killed) = tokio::join!(news, failing, container.kill("SIGKILL"));
    killed?;
    match failed {
        Err(WaitError::Exited { exit, .. }) if exit.code == 137 => {}
        other => return Err(format!("the wait ended with {other:?}").into()),
    }
    Ok(then.saturating_duration_since(news?))
}

/// A command that does nothing: by the raw API, and by the harness, in turns.
pub(crate) async fn of_exec(
    engine: &Engine,
    image: &str,
    turns: usize,
) -> Result<(Vec<Duration>, Vec<Duration>), Error> {
    let container = sleeper(image).await?;
    let (mut raw, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        let id = container.id().to_owned();
        let begun = Instant::now();
        engine.call(|docker| async move { exec(&docker, &id).await }).await?;
        raw.push(begun.elapsed());
        let begun = Instant::now();
        container.exec(["/busybox", "true"]).await?.success()?;
        ours.push(begun.elapsed());
    }
    container.remove().await?;
    Ok((raw, ours))
}

async fn exec(docker: &Docker, id: &str) -> Result<(), Error> {
    let options = CreateExecOptions {
        cmd: Some(vec!["/busybox", "true"]),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let exec = docker.create_exec(id, options).await?.id;
    if let StartExecResults::Attached { mut output, .. } =
        docker.start_exec(&exec, None::<StartExecOptions>).await?
    {
        while let Some(frame) = output.next().await {
            frame?;
        }
    }
    match docker.inspect_exec(&exec).await?.exit_code {
        // An engine that does not know yet would be asked again: that is part of what it takes.
        Some(0) | None => Ok(()),
        Some(code) => Err(format!("the command exited with {code}").into()),
    }
}

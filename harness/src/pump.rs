//! The one stream of a container's output, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt};
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ContainerInspectResponse;
use testcontainers::bollard::query_parameters::{
    AttachContainerOptions, LogsOptions, WaitContainerOptions,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::buffer::LogBuffer;
use crate::ending::{Ending, Exit};
use crate::line::LogSource;

/// The last output may trail the news of the exit by this much.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

/// The task that reads a container's output.
pub(crate) type Output = JoinHandle<Result<(), Error>>;

/// Attaches to a container that has not started, so that its first byte is not missed. Attach
/// rather than the log endpoint: that one ends at once for a container that is not running,
/// needs a log driver that can be read, and stalls when the engine rotates files (moby#37646).
pub(crate) async fn attach(
    docker: &Docker,
    id: &str,
    logs: Arc<LogBuffer>,
) -> Result<Output, Error> {
    let options = AttachContainerOptions {
        stream: true,
        stdout: true,
        stderr: true,
        ..AttachContainerOptions::default()
    };
    let attached = docker.attach_container(id, Some(options)).await?;
    Ok(tokio::spawn(pump(attached.output, logs)))
}

/// Reads the output of a container that another process has started, from the beginning.
pub(crate) async fn adopt(docker: Docker, id: String, logs: Arc<LogBuffer>) -> Result<(), Error> {
    // The log endpoint says nothing about a container that is not there until it is read.
    docker.inspect_container(&id, None).await?;
    let options = LogsOptions { follow: true, stdout: true, stderr: true, ..Default::default() };
    let output = docker.logs(&id, Some(options));
    let output = tokio::spawn(pump(Box::pin(output), logs.clone()));
    tokio::spawn(watch(docker, id, output, logs));
    Ok(())
}

/// Closes the logs when the container has exited and its last words are in, or when neither
/// can be heard of any more.
pub(crate) async fn watch(docker: Docker, id: String, output: Output, logs: Arc<LogBuffer>) {
    let exit = pin!(exit_code(&docker, &id));
    let broken = pin!(async { output.await.ok().and_then(Result::err) });
    let ending = match select(exit, broken).await {
        Either::Left((code, broken)) => {
            let _ = timeout(DRAIN_DEADLINE, broken).await;
            ended(&docker, &id, code).await
        }
        Either::Right((None, exit)) => ended(&docker, &id, exit.await).await,
        Either::Right((Some(error), exit)) => match timeout(DRAIN_DEADLINE, exit).await {
            Ok(code) => ended(&docker, &id, code).await,
            // It runs on, and nobody will hear what it says.
            Err(_) => Ending::Lost(Arc::new(error)),
        },
    };
    logs.close(ending);
}

async fn ended(docker: &Docker, id: &str, code: Result<i64, Error>) -> Ending {
    match code {
        Ok(code) => Ending::Exited(Exit { code, oom_killed: oom_killed(docker, id).await }),
        Err(error) => Ending::Lost(Arc::new(error)),
    }
}

/// The news of the exit do not say why. If the container is gone already nobody can.
async fn oom_killed(docker: &Docker, id: &str) -> bool {
    let state = docker.inspect_container(id, None).await;
    let killed = |state: ContainerInspectResponse| state.state.and_then(|state| state.oom_killed);
    state.ok().and_then(killed).unwrap_or(false)
}

async fn pump(
    mut output: impl Stream<Item = Result<LogOutput, Error>> + Unpin,
    logs: Arc<LogBuffer>,
) -> Result<(), Error> {
    while let Some(frame) = output.next().await {
        match frame? {
            LogOutput::StdErr { message } => logs.append(LogSource::Stderr, &message),
            LogOutput::StdOut { message } => logs.append(LogSource::Stdout, &message),
            // A terminal has one stream.
            LogOutput::Console { message } => {
                logs.merged();
                logs.append(LogSource::Stdout, &message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(())
}

async fn exit_code(docker: &Docker, id: &str) -> Result<i64, Error> {
    let options = WaitContainerOptions { condition: "not-running".to_owned() };
    let mut waiting = pin!(docker.wait_container(id, Some(options)));
    match waiting.next().await {
        Some(Ok(exit)) => Ok(exit.status_code),
        // Any code but 0 comes as an error.
        Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(error)) => Err(error),
        None => Err(Error::RequestTimeoutError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_engine::FakeEngine;

    /// Nothing the engine says of its time is compared with the time here.
    #[tokio::test]
    async fn edge_clock_skew_of_seventy_years_hides_no_line_and_no_exit() {
        for year in ["1999", "2099"] {
            let fake = FakeEngine::listen(&format!("clock-{year}"));
            let state = format!(
                r#"{{"Id":"c1","Created":"{year}-01-01T00:00:00Z","State":{{"OOMKilled":true,
                "StartedAt":"{year}-01-01T00:00:01Z","FinishedAt":"{year}-01-01T00:00:02Z"}}}}"#
            );
            fake.answer("GET", "/containers/c1/json", 200, &state);
            fake.answer("GET", "/containers/c1/logs", 200, "\x01\0\0\0\0\0\0\x06ready\n");
            fake.answer("POST", "/containers/c1/wait", 200, r#"{"StatusCode":3}"#);
            fake.answer("GET", "/containers/c1/json", 200, &state);
            let logs = Arc::new(LogBuffer::new());
            let mark = logs.mark();
            adopt(fake.docker(), "c1".to_owned(), logs.clone()).await.unwrap();
            let ending = logs.ended().await;
            let lines = logs.lines(mark);
            assert_eq!(lines.iter().map(|line| line.text()).collect::<Vec<_>>(), ["ready"]);
            let Ending::Exited(exit) = ending else { panic!("{ending:?}") };
            assert_eq!((exit.code, exit.oom_killed), (3, true));
        }
    }
}

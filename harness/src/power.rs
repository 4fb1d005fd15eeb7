//! Stopping, starting again and signalling.

use std::sync::Arc;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::{KillContainerOptions, StopContainerOptions};
use tokio::time::timeout;

use crate::buffer::{LogBuffer, LogMark};
use crate::handle::ContainerHandle;
use crate::pump;
use crate::request::{RequestError, Step};

/// How long the logs may take to learn of an end that the engine has reported.
const END_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn stop(handle: &ContainerHandle, grace: Duration) -> Result<(), RequestError> {
    let id = handle.id().to_owned();
    handle
        .request(Step::Stop, move |docker| async move { stop_now(&docker, &id, grace).await })
        .await
}

async fn stop_now(docker: &Docker, id: &str, grace: Duration) -> Result<(), Error> {
    let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
    docker.stop_container(id, Some(options)).await
}

/// In steps of our own: engines before 23 do not take a signal for a stop.
pub(crate) async fn stop_with(
    handle: &ContainerHandle,
    signal: &str,
    grace: Duration,
) -> Result<(), RequestError> {
    let (id, logs, signal) = (handle.id().to_owned(), handle.buffer().clone(), signal.to_owned());
    let stopping = move |docker: Docker| async move {
        send(&docker, &id, &signal).await?;
        if timeout(grace, logs.ended()).await.is_err() {
            send(&docker, &id, "SIGKILL").await?;
        }
        Ok(())
    };
    handle.request(Step::Stop, stopping).await
}

pub(crate) async fn kill(handle: &ContainerHandle, signal: &str) -> Result<(), RequestError> {
    let (id, signal) = (handle.id().to_owned(), signal.to_owned());
    handle.request(Step::Kill, move |docker| async move { send(&docker, &id, &signal).await }).await
}

async fn send(docker: &Docker, id: &str, signal: &str) -> Result<(), Error> {
    let options = KillContainerOptions { signal: signal.to_owned() };
    docker.kill_container(id, Some(options)).await
}

/// In steps of our own: the engine's restart leaves no moment at which to listen to the new run
/// from its first byte.
pub(crate) async fn restart(
    handle: &ContainerHandle,
    grace: Duration,
) -> Result<LogMark, RequestError> {
    let (id, logs) = (handle.id().to_owned(), handle.buffer().clone());
    let restarting = move |docker: Docker| async move {
        stop_now(&docker, &id, grace).await?;
        // Its last words belong to the old run.
        let _ = timeout(END_DEADLINE, logs.ended()).await;
        let mark = logs.reopen();
        start(&docker, &id, logs).await?;
        Ok(mark)
    };
    handle.request(Step::Restart, restarting).await
}

/// Starts a container whose output is listened to from its first byte on.
pub(crate) async fn start(docker: &Docker, id: &str, logs: Arc<LogBuffer>) -> Result<(), Error> {
    let output = pump::attach(docker, id, logs.clone()).await?;
    docker.start_container(id, None).await?;
    tokio::spawn(pump::watch(docker.clone(), id.to_owned(), output, logs));
    Ok(())
}

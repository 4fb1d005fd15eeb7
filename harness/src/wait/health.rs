//! Waiting for a health check.

use testcontainers::bollard::models::{Health, HealthStatusEnum};

use super::state::Note;
use crate::backoff::Backoff;
use crate::handle::ContainerHandle;

/// Asks for the state again and again. Engines have events for it, but only while the check is
/// theirs: Podman leaves it to systemd's timers.
pub(crate) async fn watch(handle: &ContainerHandle, note: &Note) -> Result<(), String> {
    let mut backoff = Backoff::new();
    loop {
        match handle.inspect().await {
            Ok(state) => {
                let health = state.state.and_then(|state| state.health);
                match health.as_ref().and_then(|health| health.status) {
                    Some(HealthStatusEnum::HEALTHY) => return Ok(()),
                    None | Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) => {
                        return Err("it has no health check; the image needs a HEALTHCHECK, or \
                                    wait for something else"
                            .to_owned());
                    }
                    Some(status) => note.saw(describe(status, health)),
                }
            }
            Err(error) => note.saw(error),
        }
        backoff.pause().await;
    }
}

fn describe(status: HealthStatusEnum, health: Option<Health>) -> String {
    let last = health.and_then(|health| health.log).and_then(|mut log| log.pop());
    match last {
        None => format!("{status}: not checked yet"),
        Some(last) => {
            let output = last.output.unwrap_or_default();
            format!("{status}: exit code {}: {output}", last.exit_code.unwrap_or_default())
        }
    }
}

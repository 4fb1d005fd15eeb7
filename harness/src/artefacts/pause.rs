//! Looking at a failure while it is there.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use super::evidence::{Evidence, NodeEvidence, Status};
use crate::record::PlaceKind;

/// `failed`: what a failed test has started is kept on the engine.
const KEEP: &str = "PLIMSOLL_KEEP";
/// `failed`: a test that has failed waits, with everything running.
const PAUSE: &str = "PLIMSOLL_PAUSE";
/// The file that it waits for to be removed.
const PAUSED: &str = "paused";

/// A file's removal has an event, but not one that is the same on every system.
const PACE: Duration = Duration::from_millis(100);

/// Marks what is on the engine to be kept, if the user asks for it; says what that is.
pub(super) fn keep(evidence: &Evidence) -> Option<String> {
    if !is_asked_for(KEEP) {
        return None;
    }
    let mut kept = format!("kept, as {KEEP}=failed says:\n{}", table(evidence));
    let mut removal = Vec::new();
    for (kind, things) in things(evidence) {
        for thing in &things {
            if let Err(error) = plimsoll_reaper::keep(&thing.id) {
                let _ = writeln!(kept, "failed to keep {}: {error}", thing.name);
            }
        }
        if !things.is_empty() {
            let names: Vec<_> = things.into_iter().map(|thing| thing.name).collect();
            removal.push(format!("docker {kind} {}", names.join(" ")));
        }
    }
    let _ = writeln!(kept, "to remove it: {}", removal.join(" && "));
    Some(kept)
}

/// Waits until the user has seen enough, if asked to. The message goes past the runner, which
/// would show it when the test has ended.
pub(super) async fn pause(directory: &Path, evidence: &Evidence) {
    if !is_asked_for(PAUSE) {
        return;
    }
    let file = directory.join(PAUSED);
    if let Err(error) = fs::write(&file, "remove this file, and the test goes on\n") {
        say(&format!("failed to pause: cannot write {}: {error}\n", file.display()));
        return;
    }
    let page = directory.join(super::PAGE);
    say(&format!(
        "\npaused in {}, as {PAUSE}=failed says:\n{}artefacts: {}\nto go on: rm {}\n",
        evidence.test,
        table(evidence),
        page.display(),
        file.display()
    ));
    while file.exists() {
        tokio::time::sleep(PACE).await;
    }
}

/// Writes to standard error as it is, not as the runner shows it later.
pub(super) fn say(text: &str) {
    // Who cannot be told cannot be told that either.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether the user wants to look at what has failed while it is there.
pub(super) fn is_wanted() -> bool {
    [KEEP, PAUSE].into_iter().any(is_asked_for)
}

fn is_asked_for(variable: &str) -> bool {
    match env::var(variable).as_deref() {
        Ok("failed") => true,
        Err(_) | Ok("") => false,
        Ok(other) => {
            static SAID: Once = Once::new();
            let text = format!("{variable}={other} means nothing; the one value is `failed`\n");
            SAID.call_once(|| say(&text));
            false
        }
    }
}

struct Thing {
    id: String,
    name: String,
}

/// What there is on the engine, by the commands that remove it, in the order that works.
fn things(evidence: &Evidence) -> [(&'static str, Vec<Thing>); 3] {
    let containers = evidence.nodes.iter().filter_map(|node| node.container.as_ref());
    let containers = containers.map(|(name, id)| Thing { id: id.clone(), name: name.clone() });
    let places = |kind| {
        let places = evidence.places.iter().filter(move |place| place.kind == kind);
        places.map(|place| Thing { id: place.id.clone(), name: place.name.clone() }).collect()
    };
    [
        ("rm -fv", containers.collect()),
        ("network rm", places(PlaceKind::Network)),
        ("volume rm", places(PlaceKind::Volume)),
    ]
}

/// One line for each container: how it is, and where to reach it.
fn table(evidence: &Evidence) -> String {
    let mut table = String::new();
    for node in &evidence.nodes {
        let Some((container, _)) = &node.container else { continue };
        let _ =
            writeln!(table, "  {}: {container}, {}{}", node.name, status(node), addresses(node));
    }
    table
}

fn status(node: &NodeEvidence) -> String {
    match node.status {
        Status::Exited(exit) | Status::Failed(Some(exit)) => format!("exited with {exit}"),
        Status::Ready => "ready".to_owned(),
        Status::Failed(None) => "not ready".to_owned(),
        Status::NotStarted | Status::GivenUp => "given up".to_owned(),
    }
}

fn addresses(node: &NodeEvidence) -> String {
    let mut text = String::new();
    for port in &node.ports {
        for address in &port.addresses {
            let _ = write!(text, ", http://{address} ({})", port.port);
        }
    }
    text
}

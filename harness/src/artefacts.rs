//! What a failure leaves behind for people: a directory with the logs, the engine's view, its
//! events, the times of the start-up, and one page that shows it all.

mod directory;
mod events;
mod evidence;
mod gantt;
mod graph;
mod markup;
mod page;
mod pause;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use self::evidence::{Evidence, NodeEvidence};
use crate::case::Case;
use crate::engine::Engine;
use crate::record::Record;
use crate::stack::Teardown;

/// The artefacts of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artefacts {
    directory: PathBuf,
    /// What is kept on the engine, for people.
    kept: Option<String>,
}

/// Those of a start that failed, before anything is removed. A test that says itself whether it
/// has failed may expect that, and writes them if it does not.
///
/// Runs on the engine's runtime.
pub(crate) async fn of_start(engine: &Engine, record: &Arc<Record>, failure: &str) {
    if record.is_watched() && !pause::is_wanted() {
        record.look(engine.docker()).await;
    } else {
        of_record(engine, record, failure).await;
    }
}

/// Removes what is dropped; its artefacts are written first if that happens in a panic.
pub(crate) fn of_drop(engine: &Engine, record: &Arc<Record>, teardown: Teardown) {
    if let Some(case) = record.case() {
        // Whether the test fails is not known yet.
        if pause::is_wanted() {
            case.hold(engine.clone(), teardown);
            return;
        }
        let record = record.clone();
        engine.finish(|docker| async move {
            record.look(&docker).await;
            teardown.run(docker).await;
        });
        return;
    }
    if std::thread::panicking() {
        let (telling, of) = (engine.clone(), record.clone());
        let work = |_| async move { of_record(&telling, &of, PANIC).await };
        engine.finish_within(Duration::MAX, work);
        record.announce();
    }
    engine.finish(|docker| teardown.run(docker));
}

/// Those of a test that has failed and says so, on whatever runtime.
pub(crate) async fn of_test(case: &Case, stack: Option<Arc<Record>>, failure: &str) {
    let mut records = case.records();
    if let Some(stack) = stack
        && !records.iter().any(|record| Arc::ptr_eq(record, &stack))
    {
        // Others share it.
        records.insert(0, stack);
    }
    // A test that has started nothing has nothing to show.
    if records.is_empty() || !case.tells() {
        return;
    }
    if let Some(written) = records.iter().find_map(|record| record.written()) {
        written.announce();
        return;
    }
    let Ok(engine) = Engine::connect() else { return };
    let (test, failure) = (case.name().to_owned(), failure.to_owned());
    let telling = {
        let engine = engine.clone();
        async move { of_failure(&engine, &test, &records, &failure).await }
    };
    if let Some(artefacts) = engine.call(|_| telling).await {
        artefacts.announce();
    }
}

async fn of_record(engine: &Engine, record: &Arc<Record>, failure: &str) {
    let records = [record.clone()];
    if let Some(artefacts) = of_failure(engine, record.test(), &records, failure).await {
        record.set_written(artefacts);
    }
}

/// What is said of a panic where it cannot be asked what it said.
const PANIC: &str = "the test panicked; its output says why";

/// Takes down what there is to know of a failure, before anything is removed; keeps what was
/// started, or waits, if the user has asked for that.
///
/// Runs on the engine's runtime. Nothing here may hide the failure that it is about, so what
/// cannot be written is said and goes no further.
async fn of_failure(
    engine: &Engine,
    test: &str,
    records: &[Arc<Record>],
    failure: &str,
) -> Option<Artefacts> {
    let docker = engine.docker();
    for record in records {
        record.look(docker).await;
    }
    let mut evidence = Evidence::of(test, failure, records, engine);
    evidence.events = events::of(docker, &evidence.containers()).await;
    let directory = directory::of_test(test);
    let written = {
        let directory = directory.clone();
        engine.blocking(move || write(&directory, &evidence).map(|()| evidence)).await
    };
    let evidence = match written {
        Ok(evidence) => evidence,
        Err(error) => {
            pause::say(&format!(
                "failed to write artefacts to {}: {error}\n  try: name a directory that can be \
                 written in {}\n",
                directory.display(),
                directory::VARIABLE
            ));
            return None;
        }
    };
    let kept = pause::keep(&evidence);
    pause::pause(&directory, &evidence).await;
    Some(Artefacts { directory, kept })
}

impl Artefacts {
    /// Says where they are, on the thread of the test, whose output the runner keeps with it.
    #[expect(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "a runner shows it with the test"
    )]
    pub(crate) fn announce(&self) {
        let page = self.directory.join(PAGE);
        eprintln!("artefacts: {}", page.display());
        if let Some(kept) = &self.kept {
            eprint!("{kept}");
        }
        // Jenkins and GitLab attach what a JUnit report names like this.
        println!("[[ATTACHMENT|{}]]", page.display());
    }
}

const PAGE: &str = "index.html";

fn write(directory: &Path, evidence: &Evidence) -> io::Result<()> {
    // Those of an earlier failure in the same run would be taken for this one's.
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(directory)?,
    }
    let file = |name: &str, content: &[u8]| fs::write(directory.join(name), content);
    file("failure.txt", format!("{}\n", evidence.failure).as_bytes())?;
    file("timeline.json", &serde_json::to_vec_pretty(&timeline(evidence))?)?;
    let events = evidence.events.iter().map(|event| format!("{}\n", event.json));
    file("events.jsonl", events.collect::<String>().as_bytes())?;
    for node in &evidence.nodes {
        for (stream, lines) in [("stdout", node.stdout()), ("stderr", node.stderr())] {
            if !lines.is_empty() {
                file(&format!("{}.{stream}.log", node.name), &lines)?;
            }
        }
        if let Some(state) = &node.state {
            let state = serde_json::to_vec_pretty(state)?;
            file(&format!("{}.inspect.json", node.name), &state)?;
        }
    }
    file(PAGE, page::page(evidence).as_bytes())
}

/// `[{"node": "db", "moments": [{"moment": "begun", "seconds": 0.0}, …]}, …]`.
fn timeline(evidence: &Evidence) -> serde_json::Value {
    let node = |node: &NodeEvidence| {
        let moments = node.moments.iter().map(|(moment, after)| {
            json!({ "moment": moment.to_string(), "seconds": after.as_secs_f64() })
        });
        json!({ "node": node.name, "moments": moments.collect::<Vec<_>>() })
    };
    evidence.nodes.iter().map(node).collect()
}

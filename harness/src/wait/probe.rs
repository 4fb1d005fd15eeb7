//! A condition that is being waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{select_ok, try_join_all};

use super::state::{ConditionState, Note};
use super::{Condition, Hopeless, Until, command, health, http, logs, tcp};
use crate::backoff::Backoff;
use crate::buffer::LogMark;
use crate::ending::Ending;
use crate::handle::ContainerHandle;
use crate::line::LogLine;
use crate::logs::SEARCHED_FOR_MISSES;
use crate::matcher::{LogMatcher, PatternError};

/// Ends when the condition is so, or with the reason why it never will be.
pub(crate) type Watching = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What is known of a condition that is being waited for.
#[derive(Debug)]
pub(crate) enum Probe {
    Single { condition: String, note: Note, matcher: Option<SharedMatcher> },
    Compound { condition: String, parts: Vec<Self>, needs: Needs },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Needs {
    All,
    One,
}

/// The matcher of a condition on the logs, and the first line it looks at.
#[derive(Clone, Debug)]
pub(crate) struct SharedMatcher {
    pub(crate) from: LogMark,
    pub(crate) matcher: Arc<Mutex<LogMatcher>>,
}

impl SharedMatcher {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut LogMatcher) -> T) -> T {
        work(&mut self.matcher.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts to look at the condition when the future is polled.
pub(crate) fn prepare(
    condition: &Condition,
    handle: &ContainerHandle,
    from: LogMark,
) -> Result<(Probe, Watching), PatternError> {
    match condition {
        Condition::All(parts) => {
            let (parts, watching) = prepare_each(parts, handle, from)?;
            let all = try_join_all(watching).map(|all| all.map(drop));
            let probe =
                Probe::Compound { condition: condition.to_string(), parts, needs: Needs::All };
            Ok((probe, Box::pin(all)))
        }
        Condition::Any(parts) => {
            let (parts, watching) = prepare_each(parts, handle, from)?;
            let watching: Watching = if watching.is_empty() {
                Box::pin(async { Err("there is nothing to wait for in `any`".to_owned()) })
            } else {
                Box::pin(select_ok(watching).map(|first| first.map(drop)))
            };
            let probe =
                Probe::Compound { condition: condition.to_string(), parts, needs: Needs::One };
            Ok((probe, watching))
        }
        single => prepare_single(single, handle, from),
    }
}

fn prepare_each(
    conditions: &[Condition],
    handle: &ContainerHandle,
    from: LogMark,
) -> Result<(Vec<Probe>, Vec<Watching>), PatternError> {
    let prepared: Result<Vec<_>, _> =
        conditions.iter().map(|condition| prepare(condition, handle, from)).collect();
    Ok(prepared?.into_iter().unzip())
}

fn prepare_single(
    condition: &Condition,
    handle: &ContainerHandle,
    from: LogMark,
) -> Result<(Probe, Watching), PatternError> {
    let note = Note::default();
    let mut matcher = None;
    let (seen, handle) = (note.clone(), handle.clone());
    let watching: Watching = match condition.clone() {
        Condition::Log(wait) => {
            let shared =
                SharedMatcher { from, matcher: Arc::new(Mutex::new(LogMatcher::new(&wait)?)) };
            matcher = Some(shared.clone());
            Box::pin(async move { logs::watch(handle.buffer(), &shared).await }.map(Ok))
        }
        Condition::Http(wait) => {
            let check = wait.compile()?;
            Box::pin(async move { http::watch(&handle, &check, &seen).await })
        }
        Condition::Port(port) => {
            Box::pin(async move { tcp::watch(&handle, port, &seen).await }.map(Ok))
        }
        Condition::Healthcheck => Box::pin(async move { health::watch(&handle, &seen).await }),
        Condition::Exec(wait) => {
            Box::pin(async move { command::watch(&handle, &wait, &seen).await }.map(Ok))
        }
        Condition::Exit(code) => Box::pin(async move { exit(&handle, code).await }.map(Ok)),
        Condition::Until(until) => Box::pin(async move { check(&handle, &until, &seen).await }),
        Condition::All(_) | Condition::Any(_) => unreachable!("compounds are taken apart before"),
    };
    let done = note.clone();
    let watching = watching.map(move |ended| ended.inspect(|()| done.met()));
    let probe = Probe::Single { condition: condition.to_string(), note, matcher };
    Ok((probe, Box::pin(watching)))
}

/// Ends when the container has exited with the code; if it did with another, never.
async fn exit(handle: &ContainerHandle, wanted: i64) {
    match handle.buffer().ended().await {
        Ending::Exited(exit) if exit.code == wanted => {}
        _ => std::future::pending().await,
    }
}

async fn check(handle: &ContainerHandle, until: &Until, note: &Note) -> Result<(), String> {
    let mut backoff = Backoff::new();
    while let Err(error) = (until.check)(handle.clone()).await {
        if error.is::<Hopeless>() {
            return Err(error.to_string());
        }
        note.saw(error);
        backoff.pause().await;
    }
    Ok(())
}

impl Probe {
    pub(crate) fn state(&self, handle: &ContainerHandle) -> ConditionState {
        match self {
            Self::Single { condition, note, matcher } => {
                let mismatch = matcher.as_ref().map(|shared| {
                    let recent = handle.buffer().recent(SEARCHED_FOR_MISSES);
                    shared.with(|matcher| matcher.mismatch(shared.from.number(), &recent))
                });
                note.state(condition.clone(), mismatch)
            }
            Self::Compound { condition, parts, needs } => {
                let parts: Vec<_> = parts.iter().map(|part| part.state(handle)).collect();
                let met = match needs {
                    Needs::All => parts.iter().all(|part| part.met),
                    Needs::One => parts.iter().any(|part| part.met),
                };
                ConditionState { condition: condition.clone(), met, seen: None, logs: None, parts }
            }
        }
    }

    /// The lines that were found, of a condition on the logs.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        match self {
            Self::Single { matcher, .. } => {
                let lines = |shared: &SharedMatcher| shared.with(|matcher| matcher.lines());
                matcher.as_ref().and_then(lines).unwrap_or_default()
            }
            Self::Compound { parts, .. } => parts.iter().flat_map(Self::lines).collect(),
        }
    }
}

//! How far a condition had come when the wait for it failed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::mismatch::LogMismatch;

/// How far a condition had come when the wait for it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConditionState {
    /// The condition, in words.
    pub condition: String,
    /// Whether it was so.
    pub met: bool,
    /// What was seen last, if it was not.
    pub seen: Option<String>,
    /// Which lines were found and which were not, of a condition on the logs.
    pub logs: Option<LogMismatch>,
    /// The conditions it consists of.
    pub parts: Vec<Self>,
}

impl ConditionState {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let Self { condition, met, seen, logs, parts } = self;
        let indent = " ".repeat(4 * depth);
        let word = if *met { "met    " } else { "not met" };
        write!(f, "\n{indent}{word} {condition}")?;
        if let (false, Some(seen)) = (met, seen) {
            let rest = format!("\n{indent}        ");
            write!(f, ":{rest}{}", seen.trim_end().replace('\n', &rest))?;
        }
        if let (false, Some(logs)) = (met, logs) {
            for outcome in &logs.patterns {
                let text = outcome.to_string().replace('\n', &format!("\n{indent}    "));
                write!(f, "\n{indent}    {text}")?;
            }
        }
        parts.iter().try_for_each(|part| part.write(f, depth + 1))
    }
}

/// On a line of its own for each condition.
impl fmt::Display for ConditionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 1)
    }
}

/// Where a condition notes what it sees while it is waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    met: bool,
    last: Option<String>,
    times: u32,
}

impl Note {
    pub(crate) fn met(&self) {
        self.seen().met = true;
    }

    /// Something that is not what is waited for.
    pub(crate) fn saw(&self, what: impl fmt::Display) {
        let mut seen = self.seen();
        seen.last = Some(what.to_string());
        seen.times += 1;
    }

    pub(crate) fn state(&self, condition: String, logs: Option<LogMismatch>) -> ConditionState {
        let seen = self.seen();
        let last = seen.last.as_ref().map(|last| match seen.times {
            1 => format!("{last} (tried once)"),
            times => format!("{last} (tried {times} times)"),
        });
        ConditionState { condition, met: seen.met, seen: last, logs, parts: Vec::new() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

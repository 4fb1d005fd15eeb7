//! What can be wrong with a stack, before and after Docker is touched.

use std::error::Error;
use std::fmt;

use crate::engine::EngineError;
use crate::failure::debug_by_message;
use crate::start::StartError;

/// A stack that cannot be planned. Docker has not been touched.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DefineError {
    /// Nodes read each other.
    #[error("plan the stack: {} is a cycle", path.join(" → "))]
    Cycle {
        /// The nodes on the way, the first one again at the end.
        path: Vec<String>,
    },
    /// A definition reads a node that the stack does not have.
    #[error("define `{node}`: it reads `{reference}`, and {}", having(known))]
    Unknown {
        /// The node.
        node: String,
        /// What it reads.
        reference: String,
        /// The nodes there are.
        known: Vec<String>,
    },
    /// A definition reads a node as something that it is not.
    #[error("define `{node}`: it reads `{reference}` as {expected}, and that is {found}")]
    WrongType {
        /// The node.
        node: String,
        /// What it reads.
        reference: String,
        /// The type it takes it for.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// Two nodes have one name.
    #[error("plan the stack: two nodes are called `{node}`")]
    Duplicate {
        /// The name.
        node: String,
    },
    /// A node's name cannot be the name of a host.
    #[error(
        "plan the stack: `{node}` cannot be the name of a host; use up to 63 of a-z, 0-9 and -, \
         with a letter or digit at both ends"
    )]
    Name {
        /// The name.
        node: String,
    },
    /// A definition refuses.
    #[error("define `{node}`")]
    Other {
        /// The node.
        node: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

debug_by_message!(DefineError);

impl DefineError {
    /// A reason of one's own why a container cannot be defined.
    pub fn other(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        // The planner knows the node and fills it in.
        Self::Other { node: String::new(), source: reason.into() }
    }

    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::Other { node, source } if node.is_empty() => {
                Self::Other { node: name.to_owned(), source }
            }
            other => other,
        }
    }
}

/// A stack that did not start. What had been started has been removed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// It cannot be planned.
    #[error(transparent)]
    Define(#[from] DefineError),
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A node did not become ready.
    #[error("start the stack: `{node}` failed{skipped}")]
    Node {
        /// The node.
        node: String,
        /// What else is not there because of it.
        skipped: Skipped,
        /// Why it failed.
        source: Box<StartError>,
    },
    /// A node that another process has started cannot be used.
    #[error("use the shared stack: `{node}` failed")]
    Adopt {
        /// The node.
        node: String,
        /// Why it cannot be used.
        source: Box<StartError>,
    },
    /// It was given up before it was ready.
    #[error("start the stack: it was given up")]
    GivenUp,
}

debug_by_message!(StackError);

/// Nodes that are not there because another failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Those that need it, and were not started.
    pub dependents: Vec<String>,
    /// Those that do not, and were not ready yet.
    pub others: Vec<String>,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dependents, others } = self;
        if !dependents.is_empty() {
            write!(f, "; skipped because they need it: {}", list(dependents))?;
        }
        if !others.is_empty() {
            write!(f, "; given up: {}", list(others))?;
        }
        Ok(())
    }
}

/// A node that could not be put back into its first state.
#[derive(thiserror::Error)]
#[error("clean `{node}`")]
pub struct CleanError {
    /// The node.
    pub node: String,
    /// What its definition said.
    pub source: Box<dyn Error + Send + Sync>,
}

debug_by_message!(CleanError);

fn having(known: &[String]) -> String {
    match known {
        [] => "it is started without a stack".to_owned(),
        _ => format!("the stack has only {}", list(known)),
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

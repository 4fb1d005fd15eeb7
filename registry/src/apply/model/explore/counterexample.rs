//! Counterexamples: a schedule that ends where a rule is broken, for reading.

use std::fmt;

use super::super::world::{Answer, Request, TagId, World};
use super::{Explorer, Node};

/// Who did what, in order, until a rule was broken.
#[derive(Debug)]
pub(in super::super) struct Counterexample {
    /// Which rule.
    broken: String,
    schedule: Vec<String>,
    /// The tags there are at that moment.
    world: String,
}

/// A step of a schedule.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) run: usize,
    pub(super) happens: Happens,
}

#[derive(Clone, Copy)]
pub(super) enum Happens {
    /// The request at this place among those of the run is performed, in this world, and
    /// answered.
    Performed(usize, Request, World),
    /// It is performed, and the answer is an error.
    Lost(usize, Request),
    /// It is not performed, and the answer is an error.
    Refused(usize, Request),
    Killed,
    /// The command is run again, alone.
    Again,
}

impl Explorer<'_> {
    pub(super) fn broken(&self, node: Node, rule: &str, tag: TagId) -> Counterexample {
        let tag = &self.names.tags[usize::from(tag)];
        self.counterexample(node, format!("{tag}: {rule}"))
    }

    pub(super) fn counterexample(&self, node: Node, broken: String) -> Counterexample {
        let schedule = self.trail.iter().map(|event| self.line(*event)).collect();
        Counterexample { broken, schedule, world: self.names.show(node.world) }
    }

    fn line(&self, Event { run, happens }: Event) -> String {
        let what = match happens {
            Happens::Performed(_, request, world) => {
                self.names.sentence(request, world.perform(request).1)
            }
            Happens::Lost(_, request) => {
                format!("{}, but it was done", self.names.sentence(request, Answer::Failed))
            }
            Happens::Refused(_, request) => {
                format!("{}, nothing was done", self.names.sentence(request, Answer::Failed))
            }
            Happens::Killed => "is killed".to_owned(),
            Happens::Again => "is run again".to_owned(),
        };
        format!("{} {}  {what}", name(run), self.scenario.runs[run].versions)
    }
}

/// The name of a run in a schedule.
pub(super) fn name(run: usize) -> char {
    char::from(b'A' + run as u8)
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.broken)?;
        for (at, line) in (1..).zip(&self.schedule) {
            writeln!(f, "{at:3}. {line}")?;
        }
        write!(f, "     {}", self.world)
    }
}

//! The explorer: every order in which the requests of the runs can be performed.

mod counterexample;

use std::collections::{BTreeSet, HashMap};

use self::counterexample::{Event, Happens};
use super::oracle::Oracle;
use super::program::{Command, Program, StateId};
use super::world::{Answer, Names, Request, TagId, TagSet, What, World};
use crate::alias::AliasPolicy;

pub(super) use self::counterexample::Counterexample;

/// What is explored.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// The tags there are when the runs begin, as `tag=image`.
    pub(super) world: &'static str,
    /// Which aliases the runs keep.
    pub(super) policy: AliasPolicy,
    pub(super) runs: Vec<Command>,
    pub(super) trouble: Trouble,
    pub(super) orders: Orders,
}

/// What may go wrong: once in an interleaving, at any point of it, to any run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// A run stops and is never heard of again; when the others are done, its command is run
    /// again.
    Killed,
    /// A request ends in an error, whether or not it was performed; when all runs are done,
    /// the commands that ended in an error are run again.
    Error,
}

/// Which interleavings are explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orders {
    Every,
    /// One of those that no run can tell apart, and that leave the same tags.
    Different,
}

/// How much there was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explored {
    /// Different states: the world, and every run's.
    pub(super) states: usize,
    /// Ways from the beginning to an end.
    pub(super) interleavings: u128,
    /// The worlds at those ends, before anything is run again.
    pub(super) ends: BTreeSet<World>,
}

impl Scenario {
    /// Visits every state and checks the rules in it.
    pub(super) fn explore(&self) -> Result<Explored, Counterexample> {
        let released: Vec<String> = self.runs.iter().map(released).collect();
        let worlds = [self.world].into_iter().chain(released.iter().map(String::as_str));
        let names = Names::new(self.policy, worlds);
        let (initial, released) = (names.world(self.world), names.world(&released.join(" ")));
        let released = released.listed();
        let mut explorer = Explorer {
            scenario: self,
            oracle: Oracle::new(&names, initial, released),
            programs: self.runs.iter().map(|run| Program::new(&names, run.clone())).collect(),
            exact: names.exact(),
            own: self.runs.iter().map(|run| names.own(run.versions)).collect(),
            names,
            visited: HashMap::new(),
            ends: BTreeSet::new(),
            trail: Vec::new(),
        };
        let mut start = Node { world: initial, runs: [None; MOST_RUNS], troubled: false };
        start.runs[..self.runs.len()].fill(Some(Program::START));
        let interleavings = explorer.visit(start)?;
        let Explorer { visited, ends, .. } = explorer;
        Ok(Explored { states: visited.len(), interleavings, ends })
    }
}

fn released(run: &Command) -> String {
    let pair = |version| format!("{version}={}", run.image);
    run.versions.split(' ').map(pair).collect::<Vec<_>>().join(" ")
}

const MOST_RUNS: usize = 3;

/// A state of everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    world: World,
    /// None for a run that was killed, or that there never was.
    runs: [Option<StateId>; MOST_RUNS],
    /// Whether what may go wrong has done so.
    troubled: bool,
}

struct Explorer<'s> {
    scenario: &'s Scenario,
    names: Names,
    oracle: Oracle,
    programs: Vec<Program>,
    /// The version tags.
    exact: TagSet,
    /// What each run may write.
    own: Vec<TagSet>,
    /// The number of ways from a state to an end.
    visited: HashMap<Node, u128>,
    ends: BTreeSet<World>,
    /// How the state that is being visited was reached.
    trail: Vec<Event>,
}

impl Explorer<'_> {
    /// The number of ways from `node` to an end.
    fn visit(&mut self, node: Node) -> Result<u128, Counterexample> {
        if let Some(known) = self.visited.get(&node) {
            return Ok(*known);
        }
        self.check(node)?;
        let events = self.events(node);
        let mut ways = 0;
        for event in &events {
            let next = self.step(node, *event)?;
            ways += self.visit(next)?;
            self.trail.pop();
        }
        if events.is_empty() {
            self.end(node)?;
            self.ends.insert(node.world);
            ways = 1;
        }
        self.visited.insert(node, ways);
        Ok(ways)
    }

    /// Everything that can happen next and that has to be tried.
    fn events(&self, node: Node) -> Vec<Event> {
        let trouble = if node.troubled { Trouble::None } else { self.scenario.trouble };
        let mut events = Vec::new();
        for (run, state) in node.runs.iter().enumerate() {
            let Some(state) = *state else { continue };
            let add = |events: &mut Vec<Event>, happens| events.push(Event { run, happens });
            for (at, request) in self.programs[run].pending(state) {
                let before = events.len();
                add(&mut events, Happens::Performed(at, request, node.world));
                if trouble == Trouble::Error {
                    add(&mut events, Happens::Refused(at, request));
                    if request.writes() {
                        add(&mut events, Happens::Lost(at, request));
                    }
                }
                if self.is_private(node, run, request) {
                    return events.split_off(before);
                }
            }
            if trouble == Trouble::Killed && self.programs[run].ended(state).is_none() {
                add(&mut events, Happens::Killed);
            }
        }
        events
    }

    /// Whether nobody can tell when `request` is performed, now or later: no other run that is
    /// still alive can change its answer, or see what it does.
    fn is_private(&self, node: Node, run: usize, request: Request) -> bool {
        if self.scenario.orders == Orders::Every {
            return false;
        }
        let alive = |other: &usize| {
            node.runs[*other].is_some_and(|state| self.programs[*other].ended(state).is_none())
        };
        let others = (0..self.programs.len()).filter(|other| *other != run).filter(alive);
        let written = others.fold(0, |tags, other| tags | self.own[other]);
        // Tags that once they exist are never removed, because nothing is ever put back.
        let lasting = self.scenario.trouble != Trouble::Error;
        let exists = |tag: TagId| node.world.at(tag).is_some();
        let has = |tags: TagSet, tag: TagId| tags >> tag & 1 == 1;
        match request {
            Request::Head(What::Image(_)) | Request::Get(What::Image(_)) => true,
            Request::Head(What::Tag(tag)) | Request::Get(What::Tag(tag)) => {
                !has(written, tag) || lasting && has(self.exact, tag) && exists(tag)
            }
            Request::List => {
                let may_appear = written & (self.exact | self.own[run]) & !node.world.listed();
                written == 0 || lasting && may_appear == 0
            }
            // Killed before or after a write makes a difference.
            Request::Put(tag, _) | Request::Untag(tag) => {
                self.scenario.trouble != Trouble::Killed
                    && !has(written, tag)
                    && (written == 0 || !has(self.exact, tag))
            }
        }
    }

    /// Goes on from `node` to where `event` leads.
    fn step(&mut self, node: Node, event: Event) -> Result<Node, Counterexample> {
        self.trail.push(event);
        let next = self.after(node, event);
        match self.oracle.exact_tag_changed(node.world, next.world) {
            Some(tag) => Err(self.broken(next, "exact tag changed", tag)),
            None => Ok(next),
        }
    }

    fn after(&mut self, node: Node, event: Event) -> Node {
        let Event { run, happens } = event;
        let mut next = node;
        let (at, answer) = match happens {
            Happens::Performed(at, request, _) => {
                let answer;
                (next.world, answer) = self.perform(node.world, run, request);
                (at, answer)
            }
            Happens::Lost(at, request) => {
                (next.world, _) = self.perform(node.world, run, request);
                next.troubled = true;
                (at, Answer::Failed)
            }
            Happens::Refused(at, _) => {
                next.troubled = true;
                (at, Answer::Failed)
            }
            Happens::Killed => {
                next.runs[run] = None;
                next.troubled = true;
                return next;
            }
            Happens::Again => {
                next.runs[run] = Some(Program::START);
                return next;
            }
        };
        let state = next.runs[run].expect("who asks is alive");
        next.runs[run] = Some(self.programs[run].answered(&self.names, state, at, answer));
        next
    }

    fn perform(&self, world: World, run: usize, request: Request) -> (World, Answer) {
        if let Request::Put(tag, _) | Request::Untag(tag) = request {
            assert!(self.own[run] >> tag & 1 == 1, "a run writes its own versions and aliases");
        }
        match world.perform(request) {
            (next, Answer::Listed(tags)) if self.scenario.orders == Orders::Different => {
                (next, Answer::Listed(tags & (self.exact | self.own[run])))
            }
            performed => performed,
        }
    }

    /// What holds at every moment.
    fn check(&self, node: Node) -> Result<(), Counterexample> {
        // While a run takes back what it did, others may be ahead, and are held to the end.
        let taking_back = self.scenario.trouble == Trouble::Error && node.troubled;
        match self.oracle.alias_ahead(node.world) {
            Some(tag) if !taking_back => Err(self.broken(node, "ahead of its exact tag", tag)),
            _ => Ok(()),
        }
    }

    /// What holds when all runs are over, and when those that failed have been run again.
    fn end(&mut self, node: Node) -> Result<(), Counterexample> {
        if let Some(tag) = self.oracle.alias_ahead(node.world) {
            return Err(self.broken(node, "ahead of its exact tag in the end", tag));
        }
        let mut node = node;
        if node.troubled {
            let before = self.trail.len();
            let failed = |run: &usize| match node.runs[*run] {
                Some(state) => self.programs[*run].ended(state).is_some_and(Result::is_err),
                None => true,
            };
            let failed: Vec<usize> = (0..self.programs.len()).filter(failed).collect();
            for run in failed {
                node = self.run_again(node, run)?;
            }
            self.settled(node)?;
            self.trail.truncate(before);
            return Ok(());
        }
        self.settled(node)
    }

    /// Runs a command again, alone, from its beginning to its end.
    fn run_again(&mut self, node: Node, run: usize) -> Result<Node, Counterexample> {
        let mut node = node;
        let mut happens = Some(Happens::Again);
        while let Some(next) = happens {
            let event = Event { run, happens: next };
            node = self.step(node, event)?;
            self.check(node)?;
            let state = node.runs[run].expect("it is alive");
            let pending = self.programs[run].pending(state).next();
            happens = pending.map(|(at, request)| Happens::Performed(at, request, node.world));
        }
        Ok(node)
    }

    /// All runs ended well, and the aliases are right.
    fn settled(&self, node: Node) -> Result<(), Counterexample> {
        for (run, program) in self.programs.iter().enumerate() {
            let state = node.runs[run].expect("none is killed that is not run again");
            let end = program.ended(state).expect("it is over");
            if let Err(error) = end {
                let broken = format!("{} ended in an error: {error}", counterexample::name(run));
                return Err(self.counterexample(node, broken));
            }
        }
        match self.oracle.alias_wrong(node.world) {
            Some(tag) => Err(self.broken(node, "not on the highest version", tag)),
            None => Ok(()),
        }
    }
}

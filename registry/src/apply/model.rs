//! A model checker of concurrent runs: rules 3, 4, 6, 7 and 8 in every interleaving.
//!
//! Registries have no compare-and-swap. That any number of runs, in any interleaving, end with
//! every alias on its series' maximum rests on the order of their requests alone, so all orders
//! are tried.
//!
//! # The model
//!
//! The runs are the code under test: `Target::observe`, `plan` and `Target::apply`, polled by
//! hand over a `Store` whose requests wait until the explorer performs them. The world is one
//! repository: which image each tag points at. What holds in it is said by an oracle of its own,
//! which shares no code with the planner.
//!
//! *Atomic* is one request: a tag list, HEAD, GET, PUT or untag happens at one instant, between
//! being sent and being answered. Requests that a run has under way at once are performed in any
//! order, also interleaved with those of other runs. A PUT of several tags moves one after the
//! other, each at an instant of its own.
//!
//! At every moment an exact tag that exists stays what it is, and an alias that was
//! moved is on an existing version of its series. In the end all runs have ended without an
//! error, and the aliases are on the highest versions that exist. With a run *killed* at any
//! point that holds after its command was run again, alone. With a request that *fails*,
//! performed or not, no alias is ahead of its exact tag when the runs are over; if none of them
//! reported an error all aliases are right, and else they are after those that did are run again.
//!
//! # Why it is exhaustive
//!
//! A run is a deterministic function of the answers it was given (replaying it asserts that), so
//! the answers are its state, however opaque the future is. A node of the search is the world
//! and the state of every run: two interleavings that meet in a node have the same continuations,
//! which are explored once. Runs only ever get further, so there are no cycles, and the number
//! of interleavings is counted exactly by adding up the ways on from each node.
//!
//! Answers are handed over once all requests that the run has under way are performed. The code
//! joins what it sends at once, so no request depends on which answer came first; the one
//! exception, that a failed read abandons the others, abandons reads.
//!
//! `Orders::Different` leaves out orders that no run can tell apart: a request is performed at
//! once and alone when no other live run can change its answer or see its effect, now or later.
//! These are manifests by digest, which are never removed; tags that no other live run may write
//! (runs write their own versions and aliases, which is asserted), except for exact tags, which
//! all lists show; and, unless something fails and is put back, exact tags that exist and lists
//! to which nothing can be added. Such a request commutes with all that others do, before it and
//! after it, and with what may go wrong: that a kill after a write is not a kill before it is
//! respected. Moreover lists show a run only versions and its own aliases, since the planner
//! looks at no others. One test compares the worlds that both kinds of search end in.
//!
//! # What is assumed of the registry
//!
//! - A request whose answer is an error has happened by then, or never will: a PUT that takes
//!   effect long after it has timed out is not in the model.
//! - Tag lists and reads are those of one instant. A registry whose lists or reads lag behind
//!   its writes by longer than a run takes can hide a newer version from the second look: no
//!   client can make up for that, and running again does.
//! - Manifests stay when their tags move.
//!
//! # What is not covered
//!
//! - Two different images released as one version at the same time: without compare-and-swap the
//!   later PUT wins. Nor `--force`, for the same reason, nor versions of equal precedence with
//!   different images (`1.2.3` and `v1.2.3`): the first to look again finds a tie and says so.
//! - A source tag that others move: it is what it is when it is looked at.
//! - More than one failure, or a failure and a kill; more than three runs.
//! - After a failure that was reported, an alias can be behind until the command is run again,
//!   also one of a run that ended well: what is put back is what was there when the failed run
//!   looked.

mod explore;
mod oracle;
mod program;
mod tests;
mod world;

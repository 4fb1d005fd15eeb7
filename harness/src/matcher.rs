//! Finding expected lines, one line at a time.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::assignment::Assignment;
use crate::line::LogLine;
use crate::log_wait::{LogOrder, LogPattern, LogText, LogWait};
use crate::mismatch::{self, LogMismatch, PatternOutcome};

/// What the compiled patterns may take together. A hundred of them with Unicode classes need
/// more than the 10 MiB that one is allowed by default.
const COMPILED_LIMIT: usize = 256 << 20;

/// The memory for the states of the automaton: if it is too small for a hundred patterns they
/// are built again and again.
const CACHE_LIMIT: usize = 64 << 20;

/// A pattern that is not a regular expression.
#[derive(Clone, Debug, thiserror::Error)]
#[error("compile the pattern `{pattern}`: it is not a regular expression")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub source: regex::Error,
}

/// Looks for the lines of a [`LogWait`] among those it is given.
///
/// ```
/// use plimsoll_harness::{LogLine, LogSource, LogWait};
///
/// let mut matcher = LogWait::unordered(["GET /.*", "GET /admin"]).matcher()?;
/// assert!(!matcher.feed(&LogLine::new(LogSource::Stdout, "GET /admin")));
/// assert!(matcher.feed(&LogLine::new(LogSource::Stdout, "GET /")));
/// # Ok::<(), plimsoll_harness::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogMatcher {
    /// Shared with the clones: their caches take longer to fill than a line to match.
    compiled: Arc<Compiled>,
    found: Found,
    /// How many lines have been seen.
    seen: usize,
}

#[derive(Debug)]
struct Compiled {
    wait: LogWait,
    /// One for each pattern.
    regexes: Vec<Regex>,
    /// All patterns in one automaton, where any of them may match: most lines match none, and
    /// are passed over at the price of one look.
    set: Option<RegexSet>,
    /// The pattern of each line that is expected: one that is wanted twice is here twice.
    slots: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Found {
    Ordered(Vec<(usize, LogLine)>),
    Unordered(Assignment<(usize, LogLine)>),
}

impl LogMatcher {
    pub(crate) fn new(wait: &LogWait) -> Result<Self, PatternError> {
        let regexes = wait.patterns.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        let times = |(at, pattern): (usize, &LogPattern)| std::iter::repeat_n(at, pattern.times);
        let slots: Vec<_> = wait.patterns.iter().enumerate().flat_map(times).collect();
        let (set, found) = match wait.order {
            LogOrder::Ordered => (None, Found::Ordered(Vec::new())),
            LogOrder::Unordered => {
                (Some(compile_all(wait)?), Found::Unordered(Assignment::new(slots.len())))
            }
        };
        let compiled = Arc::new(Compiled { wait: wait.clone(), regexes, set, slots });
        Ok(Self { compiled, found, seen: 0 })
    }

    /// Takes the next line; says whether everything that was expected has come. Once it has,
    /// further lines are not looked at.
    pub fn feed(&mut self, line: &LogLine) -> bool {
        self.feed_numbered(self.seen, line)
    }

    /// Like [`LogMatcher::feed`], for a line with a number of its own.
    pub(crate) fn feed_numbered(&mut self, number: usize, line: &LogLine) -> bool {
        self.seen = number + 1;
        if self.is_complete() {
            return true;
        }
        let text = text_of(self.compiled.wait.text, line);
        match &mut self.found {
            Found::Ordered(found) => {
                let pattern = self.compiled.slots[found.len()];
                let on_stream = self.compiled.wait.patterns[pattern].stream.includes(line.source);
                if on_stream && self.compiled.regexes[pattern].is_match(text) {
                    found.push((number, line.clone()));
                }
            }
            Found::Unordered(assignment) => {
                let Some(set) = self.compiled.set.as_ref().filter(|set| set.is_match(text)) else {
                    return false;
                };
                let hits = set.matches(text);
                let fits = |slot: &usize| {
                    let pattern = self.compiled.slots[*slot];
                    hits.matched(pattern)
                        && self.compiled.wait.patterns[pattern].stream.includes(line.source)
                };
                let fits: Vec<_> = (0..self.compiled.slots.len()).filter(fits).collect();
                if !fits.is_empty() {
                    assignment.place((number, line.clone()), fits);
                }
            }
        }
        self.is_complete()
    }

    /// Whether everything that was expected has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.found {
            Found::Ordered(found) => found.len() == self.compiled.slots.len(),
            Found::Unordered(assignment) => assignment.is_complete(),
        }
    }

    /// The lines that were found, in the order of their patterns, if all were.
    #[must_use]
    pub fn lines(&self) -> Option<Vec<LogLine>> {
        let lines = (0..self.compiled.slots.len())
            .map(|slot| self.slot(slot).map(|(_, line)| line.clone()));
        lines.collect()
    }

    /// What was found and what was not; for what was not, the line among `lines` that came
    /// nearest. They are numbered as they were fed; those with a number below `from` count as
    /// too old.
    pub(crate) fn mismatch(&self, from: usize, lines: &[(usize, LogLine)]) -> LogMismatch {
        let found: Vec<_> =
            (0..self.compiled.slots.len()).filter_map(|slot| self.slot(slot)).collect();
        let taken: Vec<_> = found.iter().map(|(number, _)| *number).collect();
        let outcome = |(at, pattern): (usize, &LogPattern)| {
            let slots =
                (0..self.compiled.slots.len()).filter(|slot| self.compiled.slots[*slot] == at);
            let (own, matched): (Vec<_>, Vec<_>) =
                slots.filter_map(|slot| self.slot(slot)).cloned().unzip();
            let search = mismatch::Search {
                pattern,
                regex: &self.compiled.regexes[at],
                text: self.compiled.wait.text,
                from,
                taken: &taken,
                own: &own,
            };
            let nearest = (matched.len() < pattern.times).then(|| search.nearest(lines));
            PatternOutcome { pattern: pattern.clone(), matched, nearest: nearest.flatten() }
        };
        let patterns = self.compiled.wait.patterns.iter().enumerate().map(outcome).collect();
        LogMismatch { order: self.compiled.wait.order, patterns }
    }

    fn slot(&self, slot: usize) -> Option<&(usize, LogLine)> {
        match &self.found {
            Found::Ordered(found) => found.get(slot),
            Found::Unordered(assignment) => assignment.get(slot),
        }
    }
}

/// What of the line patterns see.
pub(crate) fn text_of(text: LogText, line: &LogLine) -> &[u8] {
    match text {
        LogText::Plain => &line.bytes,
        LogText::Raw => line.raw(),
    }
}

fn compile(pattern: &LogPattern) -> Result<Regex, PatternError> {
    RegexBuilder::new(&pattern.regex)
        .build()
        .map_err(|source| PatternError { pattern: pattern.regex.clone(), source })
}

fn compile_all(wait: &LogWait) -> Result<RegexSet, PatternError> {
    let regexes: Vec<_> = wait.patterns.iter().map(|pattern| &pattern.regex).collect();
    RegexSetBuilder::new(&regexes)
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
        .map_err(|source| PatternError {
            pattern: format!("{} patterns together", regexes.len()),
            source,
        })
}

#[cfg(test)]
mod tests;

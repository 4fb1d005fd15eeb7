//! What was expected in the logs and did not come, and what came instead.

use std::fmt;

use regex::bytes::Regex;

use crate::failure::debug_by_message;
use crate::line::LogLine;
use crate::log_wait::{LogOrder, LogPattern, LogText};
use crate::matcher::text_of;
use crate::similarity::Likeness;

/// What was found of the expected lines, and what was not.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct LogMismatch {
    /// In which order the lines were expected.
    pub order: LogOrder,
    /// What became of each pattern.
    pub patterns: Vec<PatternOutcome>,
}

debug_by_message!(LogMismatch);

/// What became of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternOutcome {
    /// The pattern.
    pub pattern: LogPattern,
    /// The lines it has.
    pub matched: Vec<LogLine>,
    /// The line that came nearest, if it needs another and one came near.
    pub nearest: Option<NearMiss>,
}

/// A line that did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The line.
    pub line: LogLine,
    /// Why it did not count.
    pub reason: MissReason,
}

/// Why a line did not count, the nearest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MissReason {
    /// It matches, on the other stream.
    OtherStream,
    /// It matches, and was needed for another pattern.
    Taken,
    /// It matches, and came before the lines of the patterns before.
    OutOfOrder,
    /// It matches, and was written before the mark.
    BeforeMark,
    /// It does not match, and has much of the pattern's text.
    Similar,
}

impl PatternOutcome {
    /// Whether the pattern has all its lines.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.matched.len() >= self.pattern.times
    }
}

impl LogMismatch {
    /// The patterns that miss a line.
    pub fn unmatched(&self) -> impl Iterator<Item = &PatternOutcome> {
        self.patterns.iter().filter(|outcome| !outcome.is_met())
    }
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherStream => "matches, but on the other stream",
            Self::Taken => "matches, but was needed for another pattern",
            Self::OutOfOrder => "matches, but came too early",
            Self::BeforeMark => "matches, but was written before the mark",
            Self::Similar => "similar",
        })
    }
}

impl fmt::Display for LogMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = self.patterns.iter().filter(|outcome| outcome.is_met()).count();
        let order = match self.order {
            _ if self.patterns.len() == 1 => "",
            LogOrder::Ordered => " in order",
            LogOrder::Unordered => " in any order",
        };
        let patterns = if self.patterns.len() == 1 { "pattern" } else { "patterns" };
        write!(f, "find {} {patterns} in the logs{order}: {met} matched", self.patterns.len())?;
        for outcome in &self.patterns {
            write!(f, "\n{outcome}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PatternOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, matched, nearest } = self;
        let word = if self.is_met() { "matched" } else { "missing" };
        write!(f, "    {word} {pattern}")?;
        if !self.is_met() && !matched.is_empty() {
            write!(f, ", {} so far", matched.len())?;
        }
        if let Some(line) = matched.last() {
            write!(f, "\n        by      {}", excerpt(line))?;
        }
        if let Some(NearMiss { line, reason }) = nearest {
            write!(f, "\n        nearest {} ({reason})", excerpt(line))?;
        }
        Ok(())
    }
}

/// The line, or as much of it as helps.
fn excerpt(line: &LogLine) -> String {
    const LONGEST: usize = 200;
    let text = line.text();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], line.bytes.len()),
        None => text.into_owned(),
    }
}

/// The search for the line that came nearest to a pattern.
pub(crate) struct Search<'a> {
    pub(crate) pattern: &'a LogPattern,
    pub(crate) regex: &'a Regex,
    pub(crate) text: LogText,
    /// The number of the first line that counts.
    pub(crate) from: usize,
    /// The numbers of the lines that were given to a pattern.
    pub(crate) taken: &'a [usize],
    /// Those of them that were given to this one.
    pub(crate) own: &'a [usize],
}

impl Search<'_> {
    pub(crate) fn nearest(&self, lines: &[(usize, LogLine)]) -> Option<NearMiss> {
        let likeness = Likeness::to(&self.pattern.regex);
        let mut best: Option<(MissReason, u32, &LogLine)> = None;
        for (number, line) in lines.iter().filter(|(number, _)| !self.own.contains(number)) {
            let text = text_of(self.text, line);
            let candidate = if self.regex.is_match(text) {
                self.reason(*number, line).map(|reason| (reason, u32::MAX))
            } else {
                likeness.of(&line.bytes).map(|score| (MissReason::Similar, score))
            };
            // Of equals the last: it is nearer to what went wrong.
            if let Some((reason, score)) = candidate
                && best.is_none_or(|(other, high, _)| {
                    reason < other || (reason == other && score >= high)
                })
            {
                best = Some((reason, score, line));
            }
        }
        best.map(|(reason, _, line)| NearMiss { line: line.clone(), reason })
    }

    /// Why a line that matches does not count.
    fn reason(&self, number: usize, line: &LogLine) -> Option<MissReason> {
        let stream = self.pattern.stream;
        if !stream.includes(line.source) {
            (number >= self.from).then_some(MissReason::OtherStream)
        } else if number < self.from {
            Some(MissReason::BeforeMark)
        } else if self.taken.contains(&number) {
            Some(MissReason::Taken)
        } else {
            Some(MissReason::OutOfOrder)
        }
    }
}

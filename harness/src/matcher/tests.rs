use std::ops::ControlFlow;

use super::*;
use crate::buffer::{LogBuffer, LogMark};
use crate::ending::{Ending, Exit};
use crate::line::{LogSource, LogStream};
use crate::mismatch::MissReason;

/// The lines a program could write that matter to the patterns below, and some that do not.
const LINES: [&str; 10] =
    ["a", "b", "ab", "abc", "", "xaby", "\x1b[1ma\x1b[0m\r", "\u{f6}b", "zzz", "ba\r"];

const PATTERNS: [&str; 6] = ["a", "^b", "^ab$", "c$", "[^a-z]b", "^$"];

fn line(source: LogSource, text: &str) -> LogLine {
    LogLine::new(source, text)
}

fn stdout(texts: &[&str]) -> Vec<LogLine> {
    texts.iter().map(|text| line(LogSource::Stdout, text)).collect()
}

fn feed(wait: &LogWait, lines: &[LogLine]) -> LogMatcher {
    let mut matcher = wait.matcher().unwrap();
    lines.iter().for_each(|line| {
        matcher.feed(line);
    });
    matcher
}

fn mismatch(wait: &LogWait, from: usize, lines: &[LogLine]) -> LogMismatch {
    let mut matcher = wait.matcher().unwrap();
    let numbered: Vec<_> = lines.iter().cloned().enumerate().collect();
    for (number, line) in numbered.iter().skip(from) {
        matcher.feed_numbered(*number, line);
    }
    matcher.mismatch(from, &numbered)
}

/// The whole text's lines, found without any of the code under test but for `LogLine`.
fn oracle(wait: &LogWait, text: &[(LogSource, Vec<u8>)]) -> bool {
    let of = |wanted: LogSource| -> Vec<u8> {
        text.iter().filter(|(source, _)| *source == wanted).flat_map(|(_, b)| b.clone()).collect()
    };
    // Only one stream in ordered cases: what two streams' order is depends on the chunks.
    let mut lines = Vec::new();
    for source in [LogSource::Stdout, LogSource::Stderr] {
        let text = of(source);
        let mut parts: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        if parts.last().is_some_and(|last| last.is_empty()) {
            parts.pop();
        }
        lines.extend(parts.into_iter().map(|part| LogLine::new(source, part)));
    }
    let wanted: Vec<_> = wait
        .patterns
        .iter()
        .flat_map(|pattern| std::iter::repeat_n(pattern, pattern.times))
        .map(|pattern| (pattern.stream, Regex::new(&pattern.regex).unwrap()))
        .collect();
    let fits: Vec<Vec<bool>> = wanted
        .iter()
        .map(|(stream, regex)| {
            lines
                .iter()
                .map(|line| stream.includes(line.source) && regex.is_match(&line.bytes))
                .collect()
        })
        .collect();
    exhaustive(wait.order, &fits, &mut vec![false; lines.len()], 0)
}

/// Tries every line for every pattern.
fn exhaustive(order: LogOrder, fits: &[Vec<bool>], used: &mut [bool], from: usize) -> bool {
    let Some((first, rest)) = fits.split_first() else { return true };
    (from..used.len()).any(|at| {
        if used[at] || !first[at] {
            return false;
        }
        used[at] = true;
        let next = if order == LogOrder::Ordered { at + 1 } else { 0 };
        let complete = exhaustive(order, rest, used, next);
        used[at] = false;
        complete
    })
}

fn random_wait(random: &mut fastrand::Rng, order: LogOrder) -> LogWait {
    let streams = [LogStream::Stdout, LogStream::Stderr, LogStream::Either];
    let pattern = |random: &mut fastrand::Rng| LogPattern {
        stream: streams[random.usize(..3)],
        regex: PATTERNS[random.usize(..PATTERNS.len())].to_owned(),
        times: random.usize(1..3),
    };
    let patterns = (0..random.usize(1..4)).map(|_| pattern(random)).collect::<Vec<_>>();
    match order {
        LogOrder::Ordered => LogWait::ordered(patterns),
        LogOrder::Unordered => LogWait::unordered(patterns),
    }
}

fn random_text(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    for _ in 0..random.usize(..8) {
        text.extend_from_slice(LINES[random.usize(..LINES.len())].as_bytes());
        text.push(b'\n');
    }
    // Half of all texts end without a newline.
    if random.bool() {
        text.pop();
    }
    text
}

/// The text in chunks, those of the two streams shuffled into each other.
fn random_chunks<'t>(
    random: &mut fastrand::Rng,
    texts: &'t [(LogSource, Vec<u8>)],
) -> Vec<(LogSource, &'t [u8])> {
    let mut rests: Vec<_> = texts.iter().map(|(source, text)| (*source, &text[..])).collect();
    let mut chunks = Vec::new();
    while !rests.is_empty() {
        let at = random.usize(..rests.len());
        let (source, rest) = &mut rests[at];
        let (chunk, later) = rest.split_at(random.usize(..=rest.len().min(20)));
        chunks.push((*source, chunk));
        *rest = later;
        if later.is_empty() {
            rests.swap_remove(at);
        }
    }
    chunks
}

fn through_the_buffer(
    random: &mut fastrand::Rng,
    fresh: &LogMatcher,
    chunks: &[(LogSource, &[u8])],
) -> bool {
    let buffer = LogBuffer::new();
    let mut matcher = fresh.clone();
    let mut next = LogMark::default();
    let mut look = |matcher: &mut LogMatcher| {
        let glance = buffer.look(next, |number, line| {
            matcher.feed_numbered(number, line);
            ControlFlow::Continue(())
        });
        next = glance.next;
    };
    for (source, chunk) in chunks {
        buffer.append(*source, chunk);
        // Waits see every chunk by itself, or several at once.
        if random.u8(..3) == 0 {
            look(&mut matcher);
        }
    }
    buffer.close(Ending::Exited(Exit { code: 0, oom_killed: false }));
    look(&mut matcher);
    matcher.is_complete()
}

/// A million chunkings: 20,000 texts and waits, each cut up in 50 ways.
#[test]
fn defect_1_a_needle_across_frames_matches_however_the_text_is_cut() {
    let complete: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..4).map(|seed| scope.spawn(move || cut_up(seed, 5_000))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    // Neither all nor none, or the cases would show nothing.
    assert!((2_000..18_000).contains(&complete), "{complete}");
}

/// How many of the cases were complete; every cut says the same as the whole text.
fn cut_up(seed: u64, cases: usize) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut complete = 0;
    for case in 0..cases {
        let order = if case % 2 == 0 { LogOrder::Ordered } else { LogOrder::Unordered };
        let wait = random_wait(&mut random, order);
        let mut texts = vec![(LogSource::Stdout, random_text(&mut random))];
        // The order of two streams is that of their chunks, which is what varies here.
        if order == LogOrder::Unordered {
            texts.push((LogSource::Stderr, random_text(&mut random)));
        }
        let expected = oracle(&wait, &texts);
        complete += usize::from(expected);
        let fresh = wait.matcher().unwrap();
        for _ in 0..50 {
            let chunks = random_chunks(&mut random, &texts);
            let found = through_the_buffer(&mut random, &fresh, &chunks);
            assert_eq!(found, expected, "{wait:?}\n{texts:?}\n{chunks:?}");
        }
    }
    complete
}

#[test]
fn edge_unordered_a_pattern_wanted_twice_needs_two_lines() {
    let wait = LogWait::stdout("Booting worker").times(2);
    assert!(!feed(&wait, &stdout(&["Booting worker 1"])).is_complete());
    assert!(feed(&wait, &stdout(&["Booting worker 1", "Booting worker 2"])).is_complete());
}

#[test]
fn edge_unordered_a_general_pattern_does_not_starve_a_specific_one() {
    let wait = LogWait::unordered(["worker", "worker 1"]);
    let matcher = feed(&wait, &stdout(&["worker 1", "worker 2"]));
    assert_eq!(matcher.lines().unwrap(), stdout(&["worker 2", "worker 1"]));
}

#[test]
fn no_pattern_is_complete_at_once() {
    let none: [&str; 0] = [];
    assert_eq!(LogWait::ordered(none).matcher().unwrap().lines(), Some(Vec::new()));
}

#[test]
fn edge_escapes_are_seen_by_raw_patterns() {
    let lines = stdout(&["\x1b[32mready\x1b[0m\r"]);
    assert!(feed(&LogWait::stdout("^ready$"), &lines).is_complete());
    assert!(!feed(&LogWait::stdout("^ready$").raw(), &lines).is_complete());
    assert!(feed(&LogWait::stdout(r"\[32mready.*\r$").raw(), &lines).is_complete());
}

#[test]
fn a_bad_pattern_is_named() {
    let error = LogWait::unordered(["fine", "("]).matcher().unwrap_err();
    assert_eq!(error.to_string(), "compile the pattern `(`: it is not a regular expression");
}

#[test]
fn a_mismatch_says_why_the_nearest_line_did_not_count() {
    let reason = |wait: LogWait, from, lines: &[LogLine]| {
        let mismatch = mismatch(&wait, from, lines);
        let miss = mismatch.unmatched().next().unwrap().nearest.clone();
        miss.map(|miss| (miss.reason, miss.line.text().into_owned()))
    };
    let aside = [line(LogSource::Stderr, "ready"), line(LogSource::Stdout, "read it")];
    let expected = Some((MissReason::OtherStream, "ready".to_owned()));
    assert_eq!(reason(LogWait::stdout("ready"), 0, &aside), expected);
    let lines = stdout(&["b", "a"]);
    let expected = Some((MissReason::OutOfOrder, "b".to_owned()));
    assert_eq!(reason(LogWait::ordered(["a", "b"]), 0, &lines), expected);
    let expected = Some((MissReason::BeforeMark, "b".to_owned()));
    assert_eq!(reason(LogWait::stdout("b"), 1, &lines), expected);
    let expected = Some((MissReason::Taken, "a".to_owned()));
    assert_eq!(reason(LogWait::unordered(["a", "a"]), 0, &lines), expected);
    let similar = stdout(&["Listening on: 80", "listening at: 80", "nothing"]);
    let expected = Some((MissReason::Similar, "listening at: 80".to_owned()));
    assert_eq!(reason(LogWait::stdout("^Listening at: 80"), 0, &similar), expected);
    assert_eq!(reason(LogWait::stdout("quite different"), 0, &similar), None);
}

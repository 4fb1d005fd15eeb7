//! How fast a hundred patterns go through a container's output, against the same patterns one
//! by one.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::hint::black_box;
use std::time::Instant;

use plimsoll_harness::{LogLine, LogMatcher, LogSource, LogWait};
use regex::bytes::Regex;

const PATTERNS: usize = 100;
const LINES: usize = 400_000;
const ROUNDS: usize = 5;

fn patterns() -> Vec<String> {
    (0..PATTERNS).map(|number| format!(r"service-{number:02} listening on \S+:\d+")).collect()
}

/// What web applications log, most of the time.
fn lines() -> Vec<LogLine> {
    let line = |number: usize| {
        format!(
            "2026-01-01T00:00:{:02}.{:03}Z INFO request{{id={number}}} GET /api/items/{} 200 {}ms",
            number % 60,
            number % 1000,
            number * 31 % 9973,
            number % 41
        )
    };
    (0..LINES).map(|number| LogLine::new(LogSource::Stdout, line(number))).collect()
}

/// Megabytes a second, of the best of some rounds: the machine only ever slows a round down.
fn rate(lines: &[LogLine], mut round: impl FnMut(&[LogLine])) -> f64 {
    let bytes: usize = lines.iter().map(|line| line.bytes.len() + 1).sum();
    let seconds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        round(lines);
        begun.elapsed().as_secs_f64()
    });
    #[expect(clippy::cast_precision_loss, reason = "a few digits are enough")]
    let megabytes = bytes as f64 / 1e6;
    megabytes / seconds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let (patterns, lines) = (patterns(), lines());
    let matcher = |patterns: &[String]| -> LogMatcher {
        LogWait::unordered(patterns.iter().cloned()).matcher().expect("regular expressions")
    };
    let regexes: Vec<_> =
        patterns.iter().map(|pattern| Regex::new(pattern).expect("a regular expression")).collect();
    let all = matcher(&patterns);
    let together = rate(&lines, |lines| {
        let mut matcher = all.clone();
        assert!(!lines.iter().any(|line| matcher.feed(line)));
    });
    let few = &lines[..LINES / 20];
    let apart = rate(few, |lines| {
        for line in lines {
            black_box(regexes.iter().filter(|regex| regex.is_match(&line.bytes)).count());
        }
    });
    println!("{PATTERNS} patterns in one matcher: {together:.0} MB/s");
    println!(
        "{PATTERNS} patterns one by one:     {apart:.0} MB/s ({:.0} times less)",
        together / apart
    );
}

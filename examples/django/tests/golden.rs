//! Errors as a reader sees them, but for what is another each time.

use std::error::Error;

use plimsoll_harness::Failure;
use regex::Regex;

/// What varies, and what stands for it.
const VARYING: [(&str, &str); 6] = [
    (r"\d+\.\d s", "N s"),
    (r"tried \d+ times", "tried N times"),
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:PORT"),
    (r#""time":"[^"]+""#, r#""time":"NOW""#),
    (r#""seconds":[0-9.]+"#, r#""seconds":N"#),
    (r#""client":"[0-9.]+""#, r#""client":"IP""#),
];

/// The message and its causes, where what varies has been replaced. Lines that say the same again
/// are left out: how often a wait has asked is another number each time.
pub(crate) fn golden(error: &(dyn Error + 'static)) -> String {
    let mut text = Failure::of(error).to_string();
    for (pattern, stand_in) in VARYING {
        let pattern = Regex::new(pattern).expect("a regular expression");
        text = pattern.replace_all(&text, stand_in).into_owned();
    }
    let mut lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.dedup();
    lines.join("\n")
}

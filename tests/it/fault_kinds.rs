//! Kinds of faults, and trying all of them at every request.

use std::sync::Mutex;
use std::thread;

use plimsoll_registry::Digest;
use plimsoll_registry::fake::{Answer, Fault};

/// How many runs are under way at once: most of the time each waits to try again.
const AT_ONCE: usize = 24;

/// What can go wrong with any request, by name.
pub(crate) fn kinds() -> Vec<(&'static str, Fault)> {
    let other = Digest::sha256(b"something else").to_string();
    vec![
        ("500", Fault::Answer(Answer::new(500))),
        ("429", Fault::Answer(Answer::new(429).header("Retry-After", "0"))),
        ("401", Fault::Answer(Answer::new(401))),
        ("403", Fault::Answer(Answer::error(403, "DENIED", "no"))),
        ("404", Fault::Answer(Answer::new(404))),
        ("html", Fault::Answer(Answer::html(200))),
        ("reset", Fault::Reset),
        ("lost answer", Fault::AnswerLost),
        ("truncated", Fault::Truncate),
        ("wrong digest", Fault::WrongDigestHeader),
        ("another digest", Fault::SetHeader("Docker-Content-Digest".to_owned(), other)),
        ("no digest", Fault::MissingDigestHeader),
        ("stall", Fault::Stall),
    ]
}

/// Whether a registry that keeps doing this cannot be asked what it holds.
pub(crate) fn is_a_liar(kind: &str) -> bool {
    ["404", "wrong digest", "another digest"].contains(&kind)
}

/// Runs `check` for each of `requests` and every one of `kinds`, a few at a time.
pub(crate) fn everywhere(
    requests: usize,
    kinds: &[(&'static str, Fault)],
    check: impl Fn(usize, &'static str, Fault) + Sync,
) {
    let cases = (0..requests).flat_map(|index| kinds.iter().map(move |kind| (index, kind.clone())));
    let cases = Mutex::new(cases);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().expect("no panic while it is held").next();
                    let Some((index, (name, fault))) = case else { break };
                    check(index, name, fault);
                }
            });
        }
    });
}

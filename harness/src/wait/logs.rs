//! Waiting for lines.

use std::ops::ControlFlow;

use tokio::time::sleep_until;

use super::probe::SharedMatcher;
use crate::buffer::{LogBuffer, changed};
use crate::line::LogLine;

/// Looks at the logs whenever they change, until the lines are there.
pub(crate) async fn watch(logs: &LogBuffer, shared: &SharedMatcher) {
    let mut changes = logs.changes();
    let mut next = shared.from;
    loop {
        changes.borrow_and_update();
        let (complete, glance) = shared.with(|matcher| {
            let glance =
                logs.look(next, |number, line| match matcher.feed_numbered(number, line) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                });
            (matcher.is_complete(), glance)
        });
        if complete {
            return;
        }
        next = glance.next;
        if !with_prompts(shared, next.number(), &glance.partial) {
            changed(&mut changes).await;
            continue;
        }
        tokio::select! {
            // First: the other stream may change all the time.
            biased;
            () = sleep_until(glance.settles) => return shared.with(|matcher| {
                for line in &glance.partial {
                    matcher.feed_numbered(next.number(), line);
                }
            }),
            () = changed(&mut changes) => {}
        }
    }
}

/// Whether lines that have no newline yet would do.
fn with_prompts(shared: &SharedMatcher, number: usize, partial: &[LogLine]) -> bool {
    if partial.is_empty() {
        return false;
    }
    let mut trial = shared.with(|matcher| matcher.clone());
    partial.iter().any(|line| trial.feed_numbered(number, line))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::buffer::LogMark;
    use crate::line::LogSource;
    use crate::log_wait::LogWait;

    fn shared(wait: &LogWait) -> SharedMatcher {
        let matcher = Arc::new(Mutex::new(wait.matcher().unwrap()));
        SharedMatcher { from: LogMark::default(), matcher }
    }

    fn found(shared: &SharedMatcher) -> String {
        shared.with(|matcher| matcher.lines().unwrap()[0].text().into_owned())
    }

    #[tokio::test]
    async fn defect_1_half_a_line_is_not_taken_for_all_of_it() {
        let logs = LogBuffer::new();
        let shared = shared(&LogWait::stdout(r"listening on \d+"));
        let writer = async {
            logs.append(LogSource::Stdout, b"listening on 80");
            tokio::task::yield_now().await;
            logs.append(LogSource::Stdout, b"80\n");
        };
        tokio::join!(watch(&logs, &shared), writer);
        assert_eq!(found(&shared), "listening on 8080");
    }

    #[tokio::test]
    async fn edge_prompt_counts_when_nothing_follows() {
        let logs = LogBuffer::new();
        logs.append(LogSource::Stderr, b"\xff password: ");
        let shared = shared(&LogWait::stderr("password: $"));
        watch(&logs, &shared).await;
        assert_eq!(found(&shared), "\u{fffd} password: ");
    }
}

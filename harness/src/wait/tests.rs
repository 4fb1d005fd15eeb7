//! What a failed wait says, word for word: it has to be read in a CI log.

use std::time::Duration;

use super::state::Note;
use super::{Condition, ConditionState, ExecWait, HttpWait, PortAddresses, WaitError};
use crate::ending::Exit;
use crate::line::{LogLine, LogSource, LogTail};
use crate::log_wait::{LogPattern, LogWait};

fn lines() -> Vec<LogLine> {
    let line = |text: &str| LogLine::new(LogSource::Stderr, text);
    vec![
        line("[1] Booting worker with pid: 7"),
        line("[1] Listening on: http://0.0.0.0:8000 (7)"),
        LogLine::new(LogSource::Stdout, "migrations done"),
    ]
}

fn tail() -> Box<LogTail> {
    let text = |source| {
        let of = lines().into_iter().filter(move |line: &LogLine| line.source == source);
        of.map(|line| line.text().into_owned()).collect()
    };
    let (stdout, stderr) = (text(LogSource::Stdout), text(LogSource::Stderr));
    Box::new(LogTail { stdout, stderr, terminal: false })
}

fn log_state(wait: LogWait) -> ConditionState {
    let mut matcher = wait.matcher().unwrap();
    let lines = lines();
    let complete = lines.iter().any(|line| matcher.feed(line));
    assert!(!complete);
    let numbered: Vec<_> = lines.into_iter().enumerate().collect();
    let mismatch = matcher.mismatch(0, &numbered);
    Note::default().state(Condition::from(wait).to_string(), Some(mismatch))
}

fn state() -> Box<ConditionState> {
    let logs = log_state(LogWait::unordered([
        LogPattern::stderr("Booting worker").times(2),
        LogPattern::stderr("Listening at: http"),
        LogPattern::stderr("migrations done"),
        LogPattern::either("started in [0-9]+ ms"),
    ]));
    let health = Note::default();
    for _ in 0..12 {
        health.saw("answered with 503: database: down");
    }
    let health = health.state(HttpWait::get("/health").port(8000).status(200).to_string(), None);
    let exec = Note::default();
    exec.saw("exit code 1\nstderr: no database");
    let exec = exec.state(ExecWait::new(["manage", "check"]).to_string(), None);
    let port = Note::default();
    port.saw("172.17.0.2:8000: connection refused");
    port.met();
    let port = port.state(Condition::Port(8000).to_string(), None);
    Box::new(ConditionState {
        condition: Condition::all([]).to_string(),
        met: false,
        seen: None,
        logs: None,
        parts: vec![logs, health, exec, port],
    })
}

fn shown(error: &WaitError) -> String {
    format!("failed to {error}")
}

#[test]
fn edge_timeout_says_how_far_every_condition_had_come() {
    let ports = vec![
        PortAddresses {
            port: "8000/tcp".into(),
            addresses: vec!["127.0.0.1:32768".parse().unwrap()],
        },
        PortAddresses { port: "9000/tcp".into(), addresses: Vec::new() },
    ];
    let error = WaitError::TimedOut {
        node: "web".to_owned(),
        elapsed: Duration::from_millis(20_012),
        state: state(),
        ports,
        tail: tail(),
    };
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn an_exit_names_code_and_signal() {
    let error = WaitError::Exited {
        node: "web".to_owned(),
        exit: Exit { code: 137, oom_killed: true },
        elapsed: Duration::from_millis(340),
        state: Box::new(log_state(LogWait::stdout("Listening at"))),
        tail: tail(),
    };
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let error = WaitError::Impossible {
        node: "web".to_owned(),
        reason: "it has no health check".to_owned(),
        state: Box::new(Note::default().state(Condition::Healthcheck.to_string(), None)),
    };
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_log_mismatch_lists_the_patterns_in_their_order() {
    let wait = LogWait::ordered([
        LogPattern::either("Listening on"),
        LogPattern::either("Booting worker"),
        LogPattern::stdout("migrations"),
    ]);
    let logs = log_state(wait).logs.unwrap();
    insta::assert_snapshot!(format!("failed to {logs}"));
}

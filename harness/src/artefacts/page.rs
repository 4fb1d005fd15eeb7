//! One page that shows a failure: no scripts, no other files, no network.

use std::fmt::Write as _;

use serde_json::Value;

use super::evidence::{Evidence, NodeEvidence, Status};
use super::gantt::{gantt, seconds};
use super::graph::graph;
use super::markup::text;
use crate::line::LogSource;

/// How many of a node's lines the page has; the files beside it have all.
const LINES: usize = 5_000;

pub(super) fn page(evidence: &Evidence) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{test} failed</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<header>\n<h1>{test} failed</h1>\n</header>\n\
         <main>\n<section id=\"failure\">\n<h2>Failure</h2>\n<pre class=\"failure\">{}</pre>\n\
         </section>\n",
        include_str!("page.css"),
        text(&evidence.failure),
        test = text(&evidence.test),
    );
    if !evidence.nodes.is_empty() {
        let _ = write!(
            page,
            "<section id=\"graph\">\n<h2>What needs what</h2>\n<div class=\"wide\">\n{}</div>\n\
             </section>\n<section id=\"startup\">\n<h2>Start-up</h2>\n<div class=\"wide\">\n{}\
             </div>\n</section>\n<h2>Nodes</h2>\n",
            graph(evidence),
            gantt(evidence)
        );
    }
    for node in &evidence.nodes {
        page += &section(node);
    }
    if !evidence.events.is_empty() {
        page += &events(evidence);
    }
    page + "</main>\n</body>\n</html>\n"
}

fn section(node: &NodeEvidence) -> String {
    let status = match node.status {
        Status::NotStarted => "not started".to_owned(),
        Status::GivenUp => "given up".to_owned(),
        Status::Failed(None) => "not ready".to_owned(),
        Status::Failed(Some(exit)) => format!("not ready: exited with {exit}"),
        Status::Ready => "ready".to_owned(),
        Status::Exited(exit) => format!("exited with {exit}"),
    };
    let mut section = format!(
        "<section class=\"node {class}\" id=\"node-{name}\">\n<h3>{name} \
         <span class=\"status\">{}</span></h3>\n<dl>\n",
        text(&status),
        class = node.status.class(),
        name = text(&node.name),
    );
    for (term, value) in facts(node) {
        let _ = writeln!(section, "<dt>{term}</dt><dd>{}</dd>", text(&value));
    }
    section += "</dl>\n";
    section += &log(node);
    if let Some(state) = &node.state {
        let json = serde_json::to_string_pretty(state).unwrap_or_default();
        let _ = writeln!(
            section,
            "<details><summary>inspect</summary><pre>{}</pre></details>",
            text(&json)
        );
    }
    section + "</section>\n"
}

fn facts(node: &NodeEvidence) -> Vec<(&'static str, String)> {
    let mut facts = vec![("what", node.what.clone())];
    if let Some((name, _)) = &node.container {
        facts.push(("on the engine", name.clone()));
    }
    if !node.dependencies.is_empty() {
        facts.push(("needs", node.dependencies.join(", ")));
    }
    facts.extend(node.ports.iter().map(|port| ("port", port.to_string())));
    if let Some(state) = &node.state {
        let config = |field: &str| words(&state["Config"][field]);
        let process = [config("Entrypoint"), config("Cmd")].concat();
        if !process.is_empty() {
            facts.push(("command", process.join(" ")));
        }
        let times = ["StartedAt", "FinishedAt"].map(|field| state["State"][field].as_str());
        let terms = ["started at", "ended at"];
        facts.extend(terms.into_iter().zip(times).filter_map(|(term, time)| {
            // The engine's word for never.
            let time = time.filter(|time| !time.starts_with("0001"))?;
            Some((term, time.to_owned()))
        }));
    }
    facts
}

fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn log(node: &NodeEvidence) -> String {
    if node.container.is_none() {
        return String::new();
    }
    if node.lines.is_empty() {
        return "<p class=\"silent\">It wrote nothing.</p>\n".to_owned();
    }
    let skipped = node.lines.len().saturating_sub(LINES);
    let mut log = String::new();
    if skipped > 0 {
        let _ = writeln!(
            log,
            "<p class=\"silent\">{skipped} earlier lines are in the files beside this page.</p>"
        );
    }
    log += "<pre class=\"log\">";
    for (after, line) in &node.lines[skipped..] {
        let class = match line.source {
            LogSource::Stdout => "out",
            LogSource::Stderr => "err",
        };
        let _ = writeln!(
            log,
            "<span class=\"{class}\"><time>{:>9}</time>{}</span>",
            format!("{:.3}", after.as_secs_f64()),
            text(&line.text())
        );
    }
    log + "</pre>\n"
}

fn events(evidence: &Evidence) -> String {
    let first = evidence.events.iter().map(|event| event.nanoseconds).min().unwrap_or_default();
    let mut table = "<section id=\"events\">\n<h2>What the engine saw</h2>\n<details>\
                     <summary>events</summary>\n<table>\n<tr><th>after the first</th><th>node</th>\
                     <th>event</th></tr>\n"
        .to_owned();
    for event in &evidence.events {
        let is_it = |node: &&NodeEvidence| {
            node.container.as_ref().is_some_and(|(_, id)| *id == event.container)
        };
        let node = evidence.nodes.iter().find(is_it);
        #[expect(clippy::cast_precision_loss, reason = "shown in milliseconds")]
        let after = (event.nanoseconds - first) as f64 / 1e9;
        let _ = writeln!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            seconds(after),
            text(node.map_or(&event.container, |node| &node.name)),
            text(&event.action)
        );
    }
    table + "</table>\n</details>\n</section>\n"
}

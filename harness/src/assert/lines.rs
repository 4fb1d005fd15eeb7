//! The lines a container writes, where each is a JSON object.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::mismatch::{Difference, Expectation, Observed};
use super::text::Text;
use crate::line::{LogLine, LogSource};
use crate::logs::Logs;

/// Lines to look at: all of a container, or those it has written since a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// What the container's definition calls it.
    pub node: String,
    /// The lines, in order of arrival.
    pub lines: Vec<LogLine>,
}

/// The lines there are now. [`Logs::after`] takes those since a mark. Nothing is asked of the
/// engine.
#[must_use]
pub fn of(logs: &Logs) -> Lines {
    Lines { node: logs.node().to_owned(), lines: logs.lines() }
}

impl Observed for Lines {
    fn subject(&self) -> String {
        match self.lines.len() {
            0 => format!("the log of `{}`, no line", self.node),
            1 => format!("the log of `{}`, 1 line", self.node),
            count => format!("the log of `{}`, {count} lines", self.node),
        }
    }

    fn in_full(&self) -> Option<String> {
        (!self.lines.is_empty()).then(|| self.to_string())
    }
}

/// Each line after the name of its stream.
impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{}: {}", line.source, line.text()))
    }
}

/// Lines that are JSON objects with certain fields on a certain stream, and how many of them
/// there should be.
///
/// ```
/// use plimsoll_harness::assert::Observed;
/// use plimsoll_harness::assert::lines::{Lines, json_line};
/// use plimsoll_harness::assert::text::matching;
/// use plimsoll_harness::{LogLine, LogSource};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // Of a container: `lines::of(&web.logs().after(mark))`.
/// let line = r#"{"path": "/health", "status": 200, "time": "2026-01-05T10:00:00Z"}"#;
/// let written =
///     Lines { node: "web".to_owned(), lines: vec![LogLine::new(LogSource::Stdout, line)] };
/// let request = json_line(LogSource::Stdout)
///     .field("path", "/health")
///     .field("status", 200)
///     .field("time", matching("^2026-"))
///     .exactly(1)
///     .nothing_else();
/// written.assert(&request)?;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct JsonLine {
    source: LogSource,
    fields: Vec<(String, Field)>,
    count: usize,
    alone: bool,
}

/// What a field should be.
#[derive(Clone)]
#[non_exhaustive]
pub enum Field {
    /// A string.
    Text(Text),
    /// This value.
    Value(Value),
    /// Something that a function takes, and what to call it in a message.
    Where(&'static str, Arc<dyn Fn(&Value) -> bool + Send + Sync>),
}

/// A line on the stream that is a JSON object; one such line is expected, until
/// [`JsonLine::exactly`] says otherwise.
#[must_use]
pub fn json_line(source: LogSource) -> JsonLine {
    JsonLine { source, fields: Vec::new(), count: 1, alone: false }
}

impl JsonLine {
    /// Expects a field. Its name is a key of the object, or a JSON pointer to something deeper.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Expects a field that the function takes; `wording` says in a message what that is.
    #[must_use]
    pub fn field_where(
        self,
        name: impl Into<String>,
        wording: &'static str,
        takes: impl Fn(&Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.field(name, Field::Where(wording, Arc::new(takes)))
    }

    /// Expects so many of these lines, neither more nor fewer.
    #[must_use]
    pub fn exactly(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Expects no other line on that stream, of whatever form.
    #[must_use]
    pub fn nothing_else(mut self) -> Self {
        self.alone = true;
        self
    }

    /// What is wrong with a line, in the order of the fields.
    fn compare(&self, line: &LogLine) -> Vec<Difference> {
        let Ok(object @ Value::Object(_)) = serde_json::from_slice(&line.bytes) else {
            let there = format!("`{}`", line.text());
            // So far from it that any other line is nearer.
            let far = Difference::new("the nearest line", "a JSON object", there);
            return vec![far; self.fields.len() + 2];
        };
        let mut differences = Vec::new();
        if line.source != self.source {
            let (expected, there) = (self.source.to_string(), line.source.to_string());
            differences.push(Difference::new("stream of the nearest", expected, there));
        }
        let wrong = self.fields.iter().filter_map(|(name, field)| field.compare(name, &object));
        differences.extend(wrong);
        differences
    }
}

impl Expectation<Lines> for JsonLine {
    fn differences(&self, found: &Lines) -> Vec<Difference> {
        let compared: Vec<_> = found.lines.iter().map(|line| (line, self.compare(line))).collect();
        let (fit, unfit): (Vec<_>, Vec<_>) =
            compared.into_iter().partition(|(_, differences)| differences.is_empty());
        let mut differences = Vec::new();
        if fit.len() != self.count {
            let expected = format!("{} such as {self}", self.count);
            differences.push(Difference::new("lines", expected, fit.len().to_string()));
        }
        if fit.len() < self.count {
            // What keeps the nearest line from being one of them.
            let nearest = unfit.iter().min_by_key(|(_, differences)| differences.len());
            if let Some((line, reasons)) = nearest {
                differences[0].nearest = Some(format!("`{}`", line.text()));
                let mut reasons = reasons.clone();
                reasons.dedup();
                differences.extend(reasons);
            }
        }
        if self.alone {
            let others = unfit.iter().filter(|(line, _)| line.source == self.source);
            differences.extend(others.map(|(line, _)| {
                let there = format!("`{}`", line.text());
                Difference::new(self.source.to_string(), "no other line", there)
            }));
        }
        differences
    }
}

impl Field {
    fn compare(&self, name: &str, object: &Value) -> Option<Difference> {
        let place = format!("field `{name}` of the nearest");
        let value = if name.starts_with('/') { object.pointer(name) } else { object.get(name) };
        let Some(value) = value else {
            let names = object.as_object().into_iter().flat_map(|object| object.keys());
            let nearest = Text::from(name).nearest(names.map(String::as_str));
            let nearest = nearest.map(|nearest| format!("`{nearest}`"));
            return Some(
                Difference::new(place, self.to_string(), "no such field").nearest(nearest),
            );
        };
        let fits = match self {
            Self::Text(text) => value.as_str().is_some_and(|value| text.fits(value.as_bytes())),
            Self::Value(expected) => expected == value,
            Self::Where(_, takes) => takes(value),
        };
        (!fits).then(|| Difference::new(place, self.to_string(), format!("`{value}`")))
    }
}

impl fmt::Display for JsonLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{")?;
        for (index, (name, field)) in self.fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}: {field}")?;
        }
        write!(f, "}} on {}", self.source)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Value(value) => write!(f, "`{value}`"),
            Self::Where(wording, _) => f.write_str(wording),
        }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({self})")
    }
}

impl From<Text> for Field {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Field {
    fn from(number: i64) -> Self {
        Self::Value(number.into())
    }
}

impl From<Value> for Field {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::text::matching;

    fn line(source: LogSource, text: &str) -> LogLine {
        LogLine::new(source, text)
    }

    fn lines(lines: &[LogLine]) -> Lines {
        Lines { node: "web".to_owned(), lines: lines.to_vec() }
    }

    fn written() -> Lines {
        lines(&[
            line(LogSource::Stdout, r#"{"path":"/","status":200,"user":{"id":7}}"#),
            line(LogSource::Stderr, "worker booted"),
            line(LogSource::Stdout, r#"{"path":"/cakes","status":404,"user":null}"#),
        ])
    }

    fn request() -> JsonLine {
        json_line(LogSource::Stdout).field("path", matching("^/"))
    }

    #[test]
    fn lines_are_counted_by_their_fields() {
        let written = written();
        assert_eq!(written.assert(&request().exactly(2)), Ok(()));
        assert_eq!(written.assert(&request().field("/user/id", 7)), Ok(()));
        let failed = |value: &Value| value.as_u64().is_some_and(|status| status >= 400);
        let failed = request().field_where("status", "400 or more", failed);
        assert_eq!(written.assert(&failed), Ok(()));
        assert_eq!(lines(&written.lines[1..2]).assert(&request().exactly(0)), Ok(()));
    }

    #[test]
    fn one_too_many_is_said() {
        insta::assert_snapshot!(written().assert(&request()).unwrap_err(), @r#"
        match the log of `web`, 3 lines
          lines: expected 1 such as {path: /^//} on stdout, found 2
          found in full:
            stdout: {"path":"/","status":200,"user":{"id":7}}
            stderr: worker booted
            stdout: {"path":"/cakes","status":404,"user":null}
        "#);
    }

    #[test]
    fn the_nearest_line_says_what_keeps_it() {
        let expected = request().field("status", 500).field("path", "/cakes").field("usr", "x");
        insta::assert_snapshot!(written().assert(&expected).unwrap_err(), @r#"
        match the log of `web`, 3 lines
          lines: expected 1 such as {path: /^//, status: `500`, path: `/cakes`, usr: `x`} on stdout, found 0; nearest is `{"path":"/cakes","status":404,"user":null}`
          field `status` of the nearest: expected `500`, found `404`
          field `usr` of the nearest: expected `x`, found no such field; nearest is `user`
          found in full:
            stdout: {"path":"/","status":200,"user":{"id":7}}
            stderr: worker booted
            stdout: {"path":"/cakes","status":404,"user":null}
        "#);
    }

    #[test]
    fn the_right_line_on_the_wrong_stream_is_said() {
        let found = [line(LogSource::Stderr, r#"{"path":"/"}"#)];
        insta::assert_snapshot!(lines(&found).assert(&request()).unwrap_err(), @r#"
        match the log of `web`, 1 line
          lines: expected 1 such as {path: /^//} on stdout, found 0; nearest is `{"path":"/"}`
          stream of the nearest: expected stdout, found stderr
          found in full:
            stderr: {"path":"/"}
        "#);
    }

    #[test]
    fn what_is_no_json_is_said() {
        let found = [line(LogSource::Stdout, "GET / 200")];
        insta::assert_snapshot!(lines(&found).assert(&request()).unwrap_err(), @r"
        match the log of `web`, 1 line
          lines: expected 1 such as {path: /^//} on stdout, found 0; nearest is `GET / 200`
          the nearest line: expected a JSON object, found `GET / 200`
          found in full:
            stdout: GET / 200
        ");
    }

    #[test]
    fn what_else_is_on_the_stream_is_said() {
        let other = line(LogSource::Stdout, "Watching for file changes");
        let found = [line(LogSource::Stdout, r#"{"path":"/"}"#), other];
        assert_eq!(lines(&found).assert(&request()), Ok(()));
        let alone = request().nothing_else();
        insta::assert_snapshot!(lines(&found).assert(&alone).unwrap_err(), @r#"
        match the log of `web`, 2 lines
          stdout: expected no other line, found `Watching for file changes`
          found in full:
            stdout: {"path":"/"}
            stdout: Watching for file changes
        "#);
        insta::assert_snapshot!(lines(&[]).assert(&alone).unwrap_err(), @r"
        match the log of `web`, no line
          lines: expected 1 such as {path: /^//} on stdout, found 0
        ");
    }

    #[test]
    fn a_predicate_is_called_what_it_was_named() {
        let fails = |value: &Value| value.as_u64().is_some_and(|status| status >= 500);
        let expected = request().field_where("status", "500 or more", fails).field("/user/id", 8);
        insta::assert_snapshot!(lines(&written().lines[..1]).assert(&expected).unwrap_err(), @r#"
        match the log of `web`, 1 line
          lines: expected 1 such as {path: /^//, status: 500 or more, /user/id: `8`} on stdout, found 0; nearest is `{"path":"/","status":200,"user":{"id":7}}`
          field `status` of the nearest: expected 500 or more, found `200`
          field `/user/id` of the nearest: expected `8`, found `7`
          found in full:
            stdout: {"path":"/","status":200,"user":{"id":7}}
        "#);
    }
}

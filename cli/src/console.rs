//! The console: standard error, and everything that a command says there.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use plimsoll_registry::TagReport;

use crate::args::{Events, OutputArgs};
use crate::bars::Bars;
use crate::event::Event;
use crate::lines::Lines;
use crate::pace::Pace;

/// Who is told of events. Clones are one console.
#[derive(Clone)]
pub(crate) struct Console(Arc<Mutex<Style>>);

/// How events are shown.
enum Style {
    /// `--quiet`: errors alone.
    Errors,
    /// A line for everything that ends, where nobody looks on or no terminal can draw.
    Lines(Lines),
    /// Bars that are redrawn, on a terminal.
    Bars(Box<Bars>),
    /// `--events json`.
    Json(Pace),
}

impl Console {
    /// Standard error as the options and the terminal have it.
    pub(crate) fn open(options: &OutputArgs) -> Self {
        let stderr = io::stderr();
        let can_draw =
            stderr.is_terminal() && std::env::var_os("TERM").is_some_and(|it| it != "dumb");
        let style = match options.events {
            Some(Events::Json) => Style::Json(Pace::of_programs()),
            None if options.quiet => Style::Errors,
            // Requests that are logged in between would tear the bars apart.
            None if can_draw && options.verbose == 0 => Style::Bars(Box::default()),
            None => Style::Lines(Lines::new(options.verbose > 0)),
        };
        Self(Arc::new(Mutex::new(style)))
    }

    /// Shows `event`, if it is to be shown.
    pub(crate) fn tell(&self, event: &Event) {
        match &mut *self.style() {
            Style::Json(pace) => {
                if pace.allows(event) {
                    print(&event.json());
                }
            }
            Style::Bars(bars) => bars.tell(event),
            Style::Lines(lines) => lines.tell(event).as_deref().into_iter().for_each(print),
            Style::Errors => {
                if let Event::Error(failure) = event {
                    print(failure.text().trim_end());
                }
            }
        }
    }

    pub(crate) fn tell_all(&self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.tell(&event));
    }

    /// Shows what becomes of the tags of `repository`.
    pub(crate) fn tags_of(&self, repository: &str) -> impl Fn(&TagReport) + Sync {
        move |tag| self.tell_all(Event::of_tag(repository, tag))
    }

    /// Takes away what is only there while something is under way: the result comes next.
    pub(crate) fn clear(&self) {
        if let Style::Bars(bars) = &mut *self.style() {
            bars.clear();
        }
    }

    fn style(&self) -> MutexGuard<'_, Style> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// One line, or several, in one write: other processes of a CI job write there too.
pub(crate) fn print(text: &str) {
    // Whoever closed standard error does not want to read it.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Lines of the log, each an event.
pub(crate) struct LogLine(pub(crate) Console);

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let message = String::from_utf8_lossy(line).trim().to_owned();
        self.0.tell(&Event::Log { message });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Runs the `ocitag` program as a user does, in an environment of its own.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// An `ocitag` whose home directory is empty, so that no configuration of this machine counts.
pub(crate) struct Ocitag {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// Whether a line on stderr tells of a copy under way, where there is no terminal to draw bars on.
pub(crate) fn is_progress(line: &str) -> bool {
    let verb = line.split(' ').next().unwrap_or_default();
    ["planned", "copying", "copied", "mounted", "wrote", "tagged", "put", "stopped:"]
        .contains(&verb)
}

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ocitag-under-test");

impl Ocitag {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary directory"), environment: Vec::new() }
    }

    /// Its home directory: where `.docker/config.json` would be.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.run_with_stdin(args, "")
    }

    /// Starts it with pipes for its input and output.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        Command::new(PROGRAM)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start ocitag")
    }

    pub(crate) fn run_with_stdin<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: &str,
    ) -> Run {
        let mut child = self.spawn(args);
        // It may end without having read its input.
        let _ = child.stdin.take().expect("its standard input").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("wait for ocitag");
        Run {
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
            code: output.status.code().expect("ocitag ends by itself"),
        }
    }
}

impl Run {
    /// Its standard output, after checking that it succeeded and had nothing to say but what a
    /// copy had done.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        let rest: Vec<_> = self.stderr.lines().filter(|line| !is_progress(line)).collect();
        assert_eq!((self.code, rest), (0, Vec::new()), "{}", self.stdout);
        self.stdout
    }

    /// What it said of a copy while it went on.
    pub(crate) fn progress(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| is_progress(line)).collect()
    }

    /// Checks that it failed with `code`, and with one line of error that has all of `words`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        let errors: Vec<_> =
            self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        let [error] = errors[..] else { panic!("not one line of error: {}", self.stderr) };
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
        assert!(error.len() < 600, "{error}");
        let rest = self.stderr.lines().filter(|line| !line.starts_with("error: "));
        for line in rest.filter(|line| !is_progress(line)) {
            assert!(line.starts_with("  try: "), "neither error nor remedy: {line}");
        }
    }

    /// The fates of the tags in the report: `"1.2.4 already there"`, without digests.
    pub(crate) fn fates(&self) -> Vec<String> {
        let words = |line: &str| {
            let words = line.split_whitespace();
            let words = words.filter(|word| !word.starts_with("sha256:") && *word != "->");
            words.collect::<Vec<_>>().join(" ")
        };
        self.stdout.lines().filter(|line| line.starts_with("  ")).map(words).collect()
    }
}

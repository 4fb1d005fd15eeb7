//! The surroundings that configuration is looked up in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Environment variables and home directory: those of the process, or given ones.
///
/// It is taken once, so that a lookup means the same however long the process runs. Its
/// `Debug` names the variables and keeps their values to itself: they may be secrets.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    run: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process, as it is now.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os().collect();
        Self { variables, home: std::env::home_dir(), run: own_run_directory() }
    }

    /// Exactly these variables; `HOME` among them is the home directory.
    pub fn from_pairs<K: Into<OsString>, V: Into<OsString>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables: BTreeMap<OsString, OsString> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let home = variables.get(OsStr::new("HOME")).map(PathBuf::from);
        Self { variables, home, run: None }
    }

    /// The value of a variable; an empty one counts as unset.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// The home directory, if there is one.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Every variable, for a process to be started in this environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        let set = self.variable("XDG_CONFIG_HOME").map(PathBuf::from);
        set.or_else(|| Some(self.home()?.join(".config")))
    }

    /// `$XDG_RUNTIME_DIR/containers`, else where podman keeps it when that is not set.
    pub(crate) fn containers_run(&self) -> Option<PathBuf> {
        let set = self.variable("XDG_RUNTIME_DIR").map(|run| Path::new(run).join("containers"));
        set.or_else(|| self.run.clone())
    }
}

/// `/run/containers/UID`; the owner of `/proc/self` is the user of this process.
#[cfg(target_os = "linux")]
fn own_run_directory() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    Some(format!("/run/containers/{user}").into())
}

#[cfg(not(target_os = "linux"))]
fn own_run_directory() -> Option<PathBuf> {
    None
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset() {
        let environment = Environment::from_pairs([("DOCKER_CONFIG", ""), ("HOME", "/home/me")]);
        assert_eq!(environment.variable("DOCKER_CONFIG"), None);
        assert_eq!(environment.variable("NOWHERE"), None);
        assert_eq!(environment.home(), Some(Path::new("/home/me")));
    }

    #[test]
    fn directories_follow_xdg_and_fall_back_to_the_home() {
        let home = Environment::from_pairs([("HOME", "/home/me")]);
        assert_eq!(home.config_home(), Some("/home/me/.config".into()));
        assert_eq!(home.containers_run(), None);
        let set = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_RUNTIME_DIR", "/run/user/1")];
        let set = Environment::from_pairs(set);
        assert_eq!(set.config_home(), Some("/c".into()));
        assert_eq!(set.containers_run(), Some("/run/user/1/containers".into()));
        assert_eq!(Environment::from_pairs::<&str, &str>([]).config_home(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_xdg_the_run_directory_is_that_of_the_user() {
        let run = Environment::of_process().run.unwrap();
        assert!(run.starts_with("/run/containers/"), "{run:?}");
    }

    #[test]
    fn edge_39_debug_shows_no_values() {
        let environment = Environment::from_pairs([("DOCKER_AUTH_CONFIG", "hunter2")]);
        let text = format!("{environment:?}");
        assert!(text.contains("DOCKER_AUTH_CONFIG") && !text.contains("hunter2"), "{text}");
    }
}

//! Scopes: what a token is asked for.

/// What a repository is opened for: it decides what its token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing: one token does for a whole run.
    PullPush,
}

/// The rights on one repository, `repository:PATH:ACTIONS`, and to read others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    path: String,
    actions: Vec<String>,
    /// Paths of repositories to read, each once: blobs are mounted from them.
    sources: Vec<String>,
}

impl Scope {
    /// No rights: a token for it shows no more than that its user is known.
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn new(path: &str, access: Access) -> Self {
        let actions: &[&str] = match access {
            Access::Pull => &["pull"],
            Access::PullPush => &["pull", "push"],
        };
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Self { path: path.to_owned(), actions, sources: Vec::new() }
    }

    /// Adds the right to read other repositories.
    pub(super) fn with_sources(mut self, paths: &[&str]) -> Self {
        self.sources.extend(paths.iter().map(|&path| path.to_owned()));
        self.sources.sort_unstable();
        self.sources.dedup();
        self.sources.retain(|source| *source != self.path);
        self
    }

    /// Adds the actions on this repository that `challenge` demands, such as `delete`; whether
    /// there are new ones. What it demands of other repositories is not asked for.
    pub(super) fn widen(&mut self, challenge: &str) -> bool {
        let before = self.actions.len();
        for scope in challenge.split_ascii_whitespace() {
            let Some(rest) = scope.strip_prefix("repository:") else { continue };
            let Some((path, actions)) = rest.rsplit_once(':') else { continue };
            if path != self.path {
                continue;
            }
            for action in actions.split(',') {
                let is_action =
                    action == "*" || action.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                let is_new = !self.actions.iter().any(|known| known == action);
                if is_action && is_new && !action.is_empty() && self.actions.len() < 8 {
                    self.actions.push(action.to_owned());
                }
            }
        }
        self.actions.len() > before
    }

    /// The repository's path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether the repository at `path` may be read with it.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.path == path || self.sources.iter().any(|source| source == path)
    }

    /// As an issuer takes it, one repository after the other. The repository's own comes first:
    /// some issuers read no further.
    /// Empty when there are no rights to ask for.
    pub(super) fn text(&self) -> String {
        if self.actions.is_empty() {
            return String::new();
        }
        let mut text = format!("repository:{}:{}", self.path, self.actions.join(","));
        for source in &self.sources {
            text.push_str(" repository:");
            text.push_str(source);
            text.push_str(":pull");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_widened_for_its_own_repository_alone() {
        let mut scope = Scope::new("a/b", Access::PullPush);
        assert_eq!(scope.text(), "repository:a/b:pull,push");
        assert!(!scope.widen("repository:a/b:push repository:x:delete registry:catalog:* junk"));
        assert!(scope.widen("repository:x:pull repository:a/b:delete,push,A B"));
        assert_eq!(scope.text(), "repository:a/b:pull,push,delete");
    }

    #[test]
    fn edge_28_the_right_to_push_comes_first_and_sources_once() {
        let scope = Scope::new("m", Access::PullPush).with_sources(&["z", "a", "m", "z"]);
        assert_eq!(scope.text(), "repository:m:pull,push repository:a:pull repository:z:pull");
        assert!(scope.covers("m") && scope.covers("z") && !scope.covers("b"));
        assert_eq!(scope, Scope::new("m", Access::PullPush).with_sources(&["a", "z"]));
    }
}

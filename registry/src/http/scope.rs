//! Scopes: what a token is asked for.

/// What a repository is opened for: it decides what its token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing: one token does for a whole run.
    PullPush,
}

/// The rights on one repository, `repository:PATH:ACTIONS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    path: String,
    actions: Vec<String>,
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
        Self { path: path.to_owned(), actions }
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

    /// As an issuer takes it; empty when there are no rights to ask for.
    pub(super) fn text(&self) -> String {
        if self.actions.is_empty() {
            return String::new();
        }
        format!("repository:{}:{}", self.path, self.actions.join(","))
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
}

//! What processes there should be.

use std::fmt;

use super::tree::{Process, Processes};
use crate::assert::mismatch::{Difference, Expectation};
use crate::assert::pairing::pair;
use crate::assert::text::Text;

/// A process as it should be: its arguments, its user if one is named, and exactly the children
/// that are named, in any order.
///
/// ```
/// use plimsoll_harness::assert::processes::proc;
/// use plimsoll_harness::assert::text::matching;
///
/// let worker = proc("nginx: worker process").user("www-data");
/// let nginx = proc(matching("^nginx: master process")).user("root").children(4, worker);
/// assert_eq!(nginx.children.len(), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessMatcher {
    /// Its arguments, the program first, joined by spaces.
    pub args: Text,
    /// The name or number of the user it acts as; any if none.
    pub user: Option<Text>,
    /// Its children.
    pub children: Vec<ProcessMatcher>,
    /// Whether it may have other children.
    pub others: bool,
}

/// A process with these arguments, and no children until some are named.
pub fn proc(args: impl Into<Text>) -> ProcessMatcher {
    ProcessMatcher { args: args.into(), user: None, children: Vec::new(), others: false }
}

impl ProcessMatcher {
    /// Names the user it acts as, or the user's number.
    #[must_use]
    pub fn user(mut self, user: impl Into<Text>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(self, child: Self) -> Self {
        self.children(1, child)
    }

    /// Adds a number of children of the same kind.
    #[must_use]
    pub fn children(mut self, count: usize, child: Self) -> Self {
        self.children.extend(std::iter::repeat_n(child, count));
        self
    }

    /// Allows children that are not named.
    #[must_use]
    pub fn any_others(mut self) -> Self {
        self.others = true;
        self
    }

    fn compare(&self, place: &str, found: &Process) -> Vec<Difference> {
        let mut differences = self.compare_itself(place, found);
        differences.extend(self.compare_children(place, found));
        differences
    }

    fn compare_itself(&self, place: &str, found: &Process) -> Vec<Difference> {
        let mut differences = Vec::new();
        if !self.args.fits(found.args.as_bytes()) {
            let args = format!("`{}`", found.args);
            differences.push(Difference::new(
                format!("{place}, args"),
                self.args.to_string(),
                args,
            ));
        }
        if let Some(user) = self.user.as_ref().filter(|user| !found.user.is(user)) {
            let place = format!("{place}, user");
            differences.push(Difference::new(place, user.to_string(), found.user.to_string()));
        }
        differences
    }

    fn compare_children(&self, place: &str, found: &Process) -> Vec<Difference> {
        let fits = |expected: usize, child: usize| {
            self.children[expected].compare("", &found.children[child]).is_empty()
        };
        let partners = pair(self.children.len(), found.children.len(), fits);
        let mut left: Vec<&Process> = (0..found.children.len())
            .filter(|index| !partners.contains(&Some(*index)))
            .map(|index| &found.children[index])
            .collect();
        let mut differences = Vec::new();
        let unmet = self.children.iter().zip(&partners).filter(|(_, partner)| partner.is_none());
        for (child, _) in unmet {
            // Of those left over the one with the fewest differences was probably meant.
            let near = (0..left.len())
                .filter(|index| child.resembles(left[*index]))
                .min_by_key(|index| child.compare("", left[*index]).len());
            match near {
                Some(index) => {
                    let near = left.remove(index);
                    differences.extend(child.compare(&format!("{place} > {child}"), near));
                }
                None => {
                    let (place, child) = (format!("{place}, children"), child.to_string());
                    differences.push(Difference::new(place, child, "no process for it"));
                }
            }
        }
        if !self.others {
            let place = format!("{place}, children");
            let surplus = |child: &Process| Difference::new(&place, "no other", child.to_string());
            differences.extend(left.into_iter().map(surplus));
        }
        differences
    }

    /// Whether the two have anything in common that counts.
    fn resembles(&self, found: &Process) -> bool {
        self.args.fits(found.args.as_bytes())
            || self.args.nearest([found.args.as_str()]).is_some()
            || !self.children.is_empty() && self.compare_children("", found).is_empty()
    }
}

/// What it is looked for by, without its children.
impl fmt::Display for ProcessMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.args)?;
        self.user.iter().try_for_each(|user| write!(f, " as {user}"))
    }
}

impl Expectation<Processes> for ProcessMatcher {
    fn differences(&self, found: &Processes) -> Vec<Difference> {
        self.compare("pid 1", &found.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::mismatch::Observed;
    use crate::assert::text::matching;
    use crate::assert::users::Owner;

    fn process(args: &str, user: &str, children: impl IntoIterator<Item = Process>) -> Process {
        let id = if user == "root" { 0 } else { 1000 };
        Process {
            pid: 1,
            user: Owner { id, name: Some(user.to_owned()) },
            args: args.to_owned(),
            children: children.into_iter().collect(),
        }
    }

    fn site() -> Processes {
        let nginx = process(
            "nginx: master process",
            "root",
            [
                process("nginx: worker process", "www-data", []),
                process("nginx: worker process", "www-data", []),
            ],
        );
        let gunicorn = process(
            "gunicorn: master [web]",
            "app",
            [process("gunicorn: worker [web]", "app", [])],
        );
        let root = process("tini -- start", "root", [gunicorn, nginx]);
        Processes { node: "web".to_owned(), root, entered: Vec::new() }
    }

    fn expected() -> ProcessMatcher {
        let worker = proc("nginx: worker process").user("www-data");
        proc("tini -- start")
            .child(proc(matching("^nginx: master")).user("root").children(2, worker))
            .child(proc("gunicorn: master [web]").user("app").child(proc("gunicorn: worker [web]")))
    }

    #[test]
    fn children_come_in_any_order() {
        assert_eq!(site().assert(&expected()), Ok(()));
    }

    #[test]
    fn a_general_expectation_does_not_starve_a_particular_one() {
        let root = process("init", "root", [process("b", "root", []), process("a", "root", [])]);
        let found = Processes { node: "web".to_owned(), root, entered: Vec::new() };
        let any = proc(matching("."));
        assert_eq!(found.assert(&proc("init").child(any).child(proc("b"))), Ok(()));
    }

    #[test]
    fn the_same_kind_twice_needs_two() {
        let mut site = site();
        site.root.children[1].children.pop();
        insta::assert_snapshot!(site.assert(&expected()).unwrap_err(), @r"
        match the processes of `web`
          pid 1 > /^nginx: master/ as `root`, children: expected `nginx: worker process` as `www-data`, found no process for it
          found in full:
            `tini -- start` as `root` (0)
              `gunicorn: master [web]` as `app` (1000)
                `gunicorn: worker [web]` as `app` (1000)
              `nginx: master process` as `root` (0)
                `nginx: worker process` as `www-data` (1000)
        ");
    }

    #[test]
    fn a_difference_deep_down_is_shown_where_it_is() {
        let mut site = site();
        site.root.children[0].children[0].user = Owner { id: 0, name: Some("root".to_owned()) };
        let mut expected = expected();
        expected.children[1].children[0].user = Some("app".into());
        insta::assert_snapshot!(site.assert(&expected).unwrap_err(), @r"
        match the processes of `web`
          pid 1 > `gunicorn: master [web]` as `app` > `gunicorn: worker [web]` as `app`, user: expected `app`, found `root` (0)
          found in full:
            `tini -- start` as `root` (0)
              `gunicorn: master [web]` as `app` (1000)
                `gunicorn: worker [web]` as `root` (0)
              `nginx: master process` as `root` (0)
                `nginx: worker process` as `www-data` (1000)
                `nginx: worker process` as `www-data` (1000)
        ");
    }

    #[test]
    fn what_nobody_expects_is_named() {
        let mut site = site();
        site.root.children.push(process("sshd", "root", []));
        site.root.args = "sh start".to_owned();
        insta::assert_snapshot!(site.assert(&expected()).unwrap_err(), @r"
        match the processes of `web`
          pid 1, args: expected `tini -- start`, found `sh start`
          pid 1, children: expected no other, found `sshd` as `root` (0)
          found in full:
            `sh start` as `root` (0)
              `gunicorn: master [web]` as `app` (1000)
                `gunicorn: worker [web]` as `app` (1000)
              `nginx: master process` as `root` (0)
                `nginx: worker process` as `www-data` (1000)
                `nginx: worker process` as `www-data` (1000)
              `sshd` as `root` (0)
        ");
        assert!(site.assert(&expected().any_others()).unwrap_err().differences.len() == 1);
    }

    /// A pattern has a nearest process too: the one with most of its text.
    #[test]
    fn what_was_probably_meant_is_compared() {
        let mut expected = expected();
        expected.children[1].children[0].args = matching(r"^gunicorn: worker \[shop\]$");
        insta::assert_snapshot!(site().assert(&expected).unwrap_err(), @r"
        match the processes of `web`
          pid 1 > `gunicorn: master [web]` as `app` > /^gunicorn: worker \[shop\]$/, args: expected /^gunicorn: worker \[shop\]$/, found `gunicorn: worker [web]`
          found in full:
            `tini -- start` as `root` (0)
              `gunicorn: master [web]` as `app` (1000)
                `gunicorn: worker [web]` as `app` (1000)
              `nginx: master process` as `root` (0)
                `nginx: worker process` as `www-data` (1000)
                `nginx: worker process` as `www-data` (1000)
        ");
    }

    #[test]
    fn what_resembles_nothing_is_missing_and_surplus() {
        let found = Processes {
            node: "web".to_owned(),
            root: process("init", "root", [process("/usr/sbin/sshd -D", "root", [])]),
            entered: vec![process("sh", "root", [])],
        };
        let expected = proc("init").child(proc(matching("^nginx")).user("root"));
        insta::assert_snapshot!(found.assert(&expected).unwrap_err(), @r"
        match the processes of `web`
          pid 1, children: expected /^nginx/ as `root`, found no process for it
          pid 1, children: expected no other, found `/usr/sbin/sshd -D` as `root` (0)
          found in full:
            `init` as `root` (0)
              `/usr/sbin/sshd -D` as `root` (0)
            entered from outside:
              `sh` as `root` (0)
        ");
    }
}

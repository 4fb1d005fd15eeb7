//! A list of processes as the tree it is.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use crate::assert::mismatch::Observed;
use crate::assert::users::Owner;

/// The processes of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// What the container's definition calls it.
    pub node: String,
    /// The container's pid 1, with all its descendants.
    pub root: Process,
    /// Processes that entered from outside, each with its descendants: what `exec` and health
    /// checks run. They come and go, so no expectation looks at them.
    pub entered: Vec<Process>,
}

/// A process and what it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number on the engine's machine.
    pub pid: u32,
    /// Who it acts as.
    pub user: Owner,
    /// Its arguments, the program first.
    pub args: String,
    /// What it has started, in order of number.
    pub children: Vec<Process>,
}

/// A line of `ps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub pid: u32,
    /// The number of its parent.
    pub ppid: u32,
    /// The number of the user it acts as.
    pub uid: u32,
    /// Its arguments.
    pub args: String,
}

/// Processes that are no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A line of `ps` that is none.
    #[error("`{}` is not pid, ppid, uid and arguments: does the engine's machine have a `ps` \
             that knows `-o`?", .0.join(" "))]
    Row(Vec<String>),
    /// The container's main process is missing: it has ended since.
    #[error("there is no process {0}, which the engine calls its main process: has it ended?")]
    NoRoot(u32),
    /// Two processes of one number.
    #[error("there are two processes with number {0}")]
    Duplicate(u32),
    /// Processes that descend from each other only.
    #[error("nothing leads to processes {0:?}")]
    Unreachable(Vec<u32>),
}

impl Row {
    /// A line in the columns pid, ppid, uid, args.
    pub(crate) fn parse(cells: &[String]) -> Result<Self, TreeError> {
        let number = |index: usize| cells.get(index)?.parse().ok();
        let parsed = || {
            Some(Self {
                pid: number(0)?,
                ppid: number(1)?,
                uid: number(2)?,
                args: cells.get(3)?.clone(),
            })
        };
        parsed().ok_or_else(|| TreeError::Row(cells.to_vec()))
    }
}

impl Processes {
    /// Puts the lines together, given the number of the container's main process.
    ///
    /// # Errors
    ///
    /// They are no tree.
    pub fn build(
        node: &str,
        rows: Vec<Row>,
        root: u32,
        owner: impl Fn(u32) -> Owner,
    ) -> Result<Self, TreeError> {
        let mut pids = HashSet::new();
        if let Some(twice) = rows.iter().find(|row| !pids.insert(row.pid)) {
            return Err(TreeError::Duplicate(twice.pid));
        }
        if !pids.contains(&root) {
            return Err(TreeError::NoRoot(root));
        }
        let mut families: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
        let mut tops = Vec::new();
        for Row { pid, ppid, uid, args } in rows {
            let process = Process { pid, user: owner(uid), args, children: Vec::new() };
            if pid == root || !pids.contains(&ppid) {
                tops.push(process);
            } else {
                families.entry(ppid).or_default().push(process);
            }
        }
        for top in &mut tops {
            adopt(top, &mut families);
        }
        if !families.is_empty() {
            let mut lost: Vec<_> = families.into_values().flatten().map(|lost| lost.pid).collect();
            lost.sort_unstable();
            return Err(TreeError::Unreachable(lost));
        }
        let (mut roots, entered) = tops.into_iter().partition::<Vec<_>, _>(|top| top.pid == root);
        let root = roots.pop().ok_or(TreeError::NoRoot(root))?;
        Ok(Self { node: node.to_owned(), root, entered })
    }

    /// Every process, those that entered from outside last.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        let mut waiting: Vec<_> = self.entered.iter().rev().collect();
        waiting.push(&self.root);
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(next.children.iter().rev());
            Some(next)
        })
    }
}

fn adopt(parent: &mut Process, families: &mut BTreeMap<u32, Vec<Process>>) {
    parent.children = families.remove(&parent.pid).unwrap_or_default();
    parent.children.sort_by_key(|child| child.pid);
    for child in &mut parent.children {
        adopt(child, families);
    }
}

impl Process {
    fn draw(&self, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:indent$}{self}", "", indent = depth * 2)?;
        self.children.iter().try_for_each(|child| child.draw(depth + 1, f))
    }
}

/// One line, without the children.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` as {}", self.args, self.user)
    }
}

/// The tree, one process in a line.
impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.draw(0, f)?;
        if !self.entered.is_empty() {
            writeln!(f, "entered from outside:")?;
        }
        self.entered.iter().try_for_each(|process| process.draw(1, f))
    }
}

impl Observed for Processes {
    fn subject(&self) -> String {
        format!("the processes of `{}`", self.node)
    }

    fn in_full(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::users::Names;

    fn build(rows: &[&str]) -> Result<Processes, TreeError> {
        let cells = |row: &str| row.splitn(4, ' ').map(str::to_owned).collect::<Vec<_>>();
        let rows = rows.iter().map(|row| Row::parse(&cells(row))).collect::<Result<_, _>>()?;
        let names = Names::parse("app:x:1000:1000::/:/bin/sh");
        Processes::build("web", rows, 70, |uid| Owner::new(uid, &names))
    }

    #[test]
    fn a_list_becomes_a_tree() {
        let processes = build(&[
            "90 80 1000 worker",
            "70 12 0 tini -- master",
            "99 11 0 ps of an exec",
            "80 70 1000 master",
            "91 80 1000 other worker",
            "98 99 0 child of the exec",
        ])
        .unwrap();
        insta::assert_snapshot!(processes, @r"
        `tini -- master` as `root` (0)
          `master` as `app` (1000)
            `worker` as `app` (1000)
            `other worker` as `app` (1000)
        entered from outside:
          `ps of an exec` as `root` (0)
            `child of the exec` as `root` (0)
        ");
        assert_eq!(
            processes.iter().map(|one| one.pid).collect::<Vec<_>>(),
            [70, 80, 90, 91, 99, 98]
        );
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let refusal = |rows: &[&str]| build(rows).unwrap_err().to_string();
        insta::assert_snapshot!(
            refusal(&["71 70 0 sh"]),
            @"there is no process 70, which the engine calls its main process: has it ended?"
        );
        insta::assert_snapshot!(
            refusal(&["70 1 0 sh", "71 70 0 a", "71 70 0 b"]),
            @"there are two processes with number 71"
        );
        insta::assert_snapshot!(
            refusal(&["70 1 0 sh", "81 82 0 a", "82 81 0 b"]),
            @"nothing leads to processes [81, 82]"
        );
        insta::assert_snapshot!(
            refusal(&["70 root 0:00 sh"]),
            @"`70 root 0:00 sh` is not pid, ppid, uid and arguments: does the engine's machine have a `ps` that knows `-o`?"
        );
    }
}

//! The number that a process has in its container.
//!
//! The kernel of the engine's machine tells, but only to who shares its namespace of processes: not
//! to a job of CI in a container, and not to another machine. There a shell in the container says
//! which numbers there are, and with which arguments.

use std::path::Path;

use super::engine::ObserveError;
use super::local::{As, spellings, tool};
use super::processes::{Process, Processes};
use crate::container::Container;

/// For each process a line that no program has for its argument, with its number; and its
/// arguments, each with a NUL behind it.
const LIST: &str = r#"for p in /proc/[0-9]*; do
    printf '\n= plimsoll-process %s\n' "${p#/proc/}"
    cat "$p/cmdline"
done"#;
const MARK: &str = "\n= plimsoll-process ";

/// The number that a process has in the container: of what the kernel says, if it says anything
/// here, else of what a shell does.
pub(super) async fn of(
    container: &Container,
    processes: &Processes,
    process: &Process,
    local: Option<&Path>,
) -> Result<Option<u32>, ObserveError> {
    if process.pid == processes.root.pid {
        return Ok(Some(1));
    }
    if let Some(path) = local {
        let status = tokio::fs::read_to_string(path.join("status")).await;
        return Ok(status.ok().and_then(|status| innermost(&status)));
    }
    let listing = tool(container, As::User(0), spellings("sh", &["-c", LIST])).await?;
    Ok(listing.and_then(|listing| alike(&parse(&listing.stdout), processes, process)))
}

/// The last of the numbers that the kernel's status gives: one for each namespace, the outermost
/// first.
fn innermost(status: &str) -> Option<u32> {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().next_back()?.parse().ok()
}

/// Numbers and arguments, in order of number.
fn parse(listing: &[u8]) -> Vec<(u32, String)> {
    let text = String::from_utf8_lossy(listing);
    let entry = |entry: &str| {
        let (number, args) = entry.split_once('\n')?;
        let args = args.trim_end_matches('\0').replace('\0', " ");
        Some((number.parse().ok()?, args.trim_end().to_owned()))
    };
    let mut found: Vec<_> = text.split(MARK).filter_map(entry).collect();
    found.sort();
    found
}

/// Of processes with the same arguments the first in there is the first out here: both numbers
/// grow. Unless there are as many in there nothing is known.
fn alike(inside: &[(u32, String)], processes: &Processes, process: &Process) -> Option<u32> {
    let numbers: Vec<_> = inside
        .iter()
        .filter(|(_, args)| *args == process.args)
        .map(|(number, _)| *number)
        .collect();
    let mut outside: Vec<_> = processes
        .iter()
        .filter(|other| other.args == process.args)
        .map(|other| other.pid)
        .collect();
    outside.sort_unstable();
    let at = outside.iter().position(|pid| *pid == process.pid)?;
    (numbers.len() == outside.len()).then(|| numbers[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::users::Owner;

    fn process(pid: u32, args: &str, children: Vec<Process>) -> Process {
        let user = Owner { id: 0, name: None };
        Process { pid, user, args: args.to_owned(), children }
    }

    #[test]
    fn the_kernel_gives_the_innermost_number_last() {
        assert_eq!(innermost("Name:\tsh\nPid:\t4711\nNSpid:\t4711\t23\t7\nThreads:\t1\n"), Some(7));
        assert_eq!(innermost("Name:\tsh\nPid:\t4711\n"), None);
    }

    #[test]
    fn processes_alike_are_told_apart_by_their_order() {
        let entry = |(number, args): (u32, &str)| format!("{MARK}{number}\n{args}");
        let listing = [
            (1, "tini\0--\0serve\0"),
            (12, "worker\0-x\0"),
            (7, "worker\0-x\0"),
            (9, ""),
            (30, "sh\0-c\0"),
        ];
        let listing = listing.map(entry).concat();
        let inside = parse(listing.as_bytes());
        assert_eq!(inside.len(), 5, "{inside:?}");
        let (first, second) =
            (process(4801, "worker -x", vec![]), process(4805, "worker -x", vec![]));
        let root = process(4711, "tini -- serve", vec![second.clone(), first.clone()]);
        let mut tree = Processes { node: "web".to_owned(), root, entered: Vec::new() };
        assert_eq!(alike(&inside, &tree, &first), Some(7));
        assert_eq!(alike(&inside, &tree, &second), Some(12));
        tree.root.children.pop();
        assert_eq!(alike(&inside, &tree, &second), None, "one is not known out here");
    }
}

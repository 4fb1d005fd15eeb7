//! That the list of what is tested of images is true.

use std::collections::BTreeSet;

use crate::readme::root;
use crate::{Error, TestResult};

const LIST: &str = "docs/image-tests.md";

/// How long a program in a container does nothing, in seconds, when it is only there to be looked
/// at. Whoever waits for something does not wait for so long.
const IDLE: u32 = 600;

/// The tests that the list names, as `file::test`.
fn named(list: &str) -> Vec<(&str, &str)> {
    list.lines()
        .filter_map(|line| line.strip_suffix("` |")?.rsplit_once('`')?.1.split_once("::"))
        .collect()
}

/// Whatever sleeps in a test's source, but for programs that idle in a container.
fn sleeps(source: &str) -> Vec<&str> {
    let idles = |after: &str| {
        let number = after.trim_start_matches(['"', ',', ' ']);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        number[..end].parse().is_ok_and(|seconds: u32| seconds >= IDLE)
    };
    source.lines().filter(|line| line.split("sleep").skip(1).any(|after| !idles(after))).collect()
}

#[test]
fn what_sleeps_is_told_from_what_idles() {
    let idle = "exec(\"exec /busybox sleep 600\"); exec([\"/busybox\", \"sleep\", \"601\"]);";
    assert_eq!(sleeps(idle), [""; 0]);
    for waiting in ["tokio::time::sleep(pause).await;", "thread::sleep(PACE)", "sh -c 'sleep 1'"] {
        assert_eq!(sleeps(waiting), [waiting]);
    }
}

#[test]
fn every_test_of_the_list_exists_and_none_sleeps() -> TestResult {
    let list = std::fs::read_to_string(root().join(LIST))?;
    let named = named(&list);
    let rows = list.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    assert_eq!(named.len(), rows.count(), "every row names one test");
    let numbers: BTreeSet<u32> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(". ")?.0.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=15).collect());
    for (file, test) in named {
        let path = root().join(format!("tests/it/{file}.rs"));
        let source = std::fs::read_to_string(&path)
            .map_err(|error| Error::from(format!("{}: {error}", path.display())))?;
        let declared = format!("fn {test}() -> TestResult {{");
        let before = source.split_once(&declared).map(|(before, _)| before);
        let is_test = before.is_some_and(|before| {
            before.ends_with("#[test]\n") || before.ends_with("#[tokio::test]\nasync ")
        });
        assert!(is_test, "{LIST} names {file}::{test}, which is no test");
        assert_eq!(sleeps(&source), [""; 0], "{file}");
    }
    Ok(())
}

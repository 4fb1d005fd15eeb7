//! The files a process has open.
//!
//! The engine's API does not tell. The kernel does, to who may look: if the engine is on this
//! machine and this process may read `/proc/<pid>/fd` of the container's (as root, usually), any
//! process of any image can be looked at. If not, `ls` in the container looks, as the user of the
//! process. It takes the number that the process has in there, which the kernel of this machine
//! tells; else a shell in the image does, and without one only that of pid 1 is known.

use std::fmt;
use std::path::Path;

use super::engine::ObserveError;
use super::inner_pid;
use super::local::{As, process as local_process, spellings, tool};
use super::mismatch::{Difference, Expectation, Observed};
use super::processes::{Process, Processes};
use super::text::Text;
use crate::container::Container;

/// The files a process has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// What the container's definition calls it.
    pub node: String,
    /// The process's arguments.
    pub args: String,
    /// What its descriptors lead to, in order of number: paths, or kinds as `socket:[4711]`.
    pub files: Vec<(u32, String)>,
}

/// The files that one of the container's processes has open.
///
/// # Errors
///
/// The process is gone; or it cannot be looked at from here, and there is no `ls` in the image
/// that could, or its number in the container is not known.
pub async fn of(
    container: &Container,
    processes: &Processes,
    process: &Process,
) -> Result<OpenFiles, ObserveError> {
    let what = format!("the open files of `{}` in `{}`", process.args, container.node());
    let local = local_process(container, process.pid).await;
    let read = local.as_deref().and_then(|path| read(&path.join("fd")).ok());
    let files = match read {
        Some(files) => files,
        None => {
            let number = inner_pid::of(container, processes, process, local.as_deref()).await?;
            let number = number.ok_or_else(|| no_number(what.clone()))?;
            let list = spellings("ls", &["-l", &format!("/proc/{number}/fd")]);
            let output = tool(container, As::User(process.user.id), list).await?;
            let files = output.map(|output| parse(&output.stdout_text())).unwrap_or_default();
            // `ls` fails as well if one of many has been closed since, and lists the others.
            if files.is_empty() {
                return Err(no_list(what));
            }
            files
        }
    };
    Ok(OpenFiles { node: container.node().to_owned(), args: process.args.clone(), files })
}

fn no_list(what: String) -> ObserveError {
    let reason = "neither this test nor an `ls` in the image may look at it; as root on the \
                  engine's machine the test may";
    ObserveError::unusable(what, reason)
}

fn no_number(what: String) -> ObserveError {
    let reason = "it has ended, or it cannot be seen from here and no `sh` in the image says \
                  which number it has in there; pid 1 needs none";
    ObserveError::unusable(what, reason)
}

fn read(directory: &Path) -> std::io::Result<Vec<(u32, String)>> {
    let mut files = Vec::new();
    for entry in directory.read_dir()? {
        let entry = entry?;
        // It may have been closed since.
        let Ok(target) = entry.path().read_link() else { continue };
        if let Ok(number) = entry.file_name().to_string_lossy().parse() {
            files.push((number, target.to_string_lossy().into_owned()));
        }
    }
    files.sort();
    Ok(files)
}

/// The lines of `ls -l`: the number and where it leads come last.
fn parse(listing: &str) -> Vec<(u32, String)> {
    let line = |line: &str| {
        let (before, target) = line.split_once(" -> ")?;
        let number = before.rsplit(' ').next()?.parse().ok()?;
        Some((number, target.to_owned()))
    };
    let mut files: Vec<_> = listing.lines().filter_map(line).collect();
    files.sort();
    files
}

impl Observed for OpenFiles {
    fn subject(&self) -> String {
        format!("the open files of `{}` in `{}`", self.args, self.node)
    }

    fn in_full(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// One descriptor in a line.
impl fmt::Display for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|(number, target)| writeln!(f, "{number}: {target}"))
    }
}

/// What should be open and what should not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenFilesMatcher {
    /// What should be open.
    pub open: Vec<Text>,
    /// What should not be.
    pub closed: Vec<Text>,
    /// How many descriptors there may be.
    pub at_most: Option<usize>,
}

/// Expects this to be open.
pub fn opens(target: impl Into<Text>) -> OpenFilesMatcher {
    OpenFilesMatcher::default().and(target)
}

impl OpenFilesMatcher {
    /// Expects this to be open as well.
    #[must_use]
    pub fn and(mut self, target: impl Into<Text>) -> Self {
        self.open.push(target.into());
        self
    }

    /// Expects this not to be open.
    #[must_use]
    pub fn and_not(mut self, target: impl Into<Text>) -> Self {
        self.closed.push(target.into());
        self
    }

    /// Expects no more than so many descriptors.
    #[must_use]
    pub fn at_most(mut self, count: usize) -> Self {
        self.at_most = Some(count);
        self
    }
}

impl Expectation<OpenFiles> for OpenFilesMatcher {
    fn differences(&self, found: &OpenFiles) -> Vec<Difference> {
        let fits =
            |text: &Text| found.files.iter().find(|(_, target)| text.fits(target.as_bytes()));
        let missing = self.open.iter().filter(|text| fits(text).is_none()).map(|text| {
            let nearest = text.nearest(found.files.iter().map(|(_, target)| target.as_str()));
            Difference::new("descriptors", text.to_string(), "none that leads there")
                .nearest(nearest.map(|target| format!("`{target}`")))
        });
        let surplus = self.closed.iter().filter_map(|text| {
            let (number, target) = fits(text)?;
            let place = format!("descriptor {number}");
            Some(Difference::new(place, format!("not {text}"), format!("`{target}`")))
        });
        let mut differences: Vec<_> = missing.chain(surplus).collect();
        if let Some(most) = self.at_most.filter(|most| *most < found.files.len()) {
            let (most, there) = (format!("at most {most}"), found.files.len().to_string());
            differences.push(Difference::new("descriptors", most, there));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::text::matching;

    const LISTING: &str = "total 0\n\
        lrwx------ 1 0 0 64 Nov 24 02:30 0 -> /dev/null\n\
        l-wx------ 1 app app 64 Nov 24 02:30 10 -> /var/log/a b -> c.log\n\
        l-wx------ 1 app app 64 Nov 24 02:30 1 -> pipe:[7]\n";

    fn found() -> OpenFiles {
        OpenFiles { node: "web".to_owned(), args: "nginx".to_owned(), files: parse(LISTING) }
    }

    #[test]
    fn a_listing_is_read() {
        let expected = opens("/dev/null").and(matching("^pipe:")).and_not("/etc/shadow").at_most(3);
        assert_eq!(found().assert(&expected), Ok(()));
        assert_eq!(found().files[2], (10, "/var/log/a b -> c.log".to_owned()));
    }

    #[test]
    fn what_it_takes_to_look_is_said() {
        let what = || "the open files of `nginx` in `web`".to_owned();
        insta::assert_snapshot!(
            no_list(what()),
            @"look at the open files of `nginx` in `web`: neither this test nor an `ls` in the image may look at it; as root on the engine's machine the test may"
        );
        insta::assert_snapshot!(
            no_number(what()),
            @"look at the open files of `nginx` in `web`: it has ended, or it cannot be seen from here and no `sh` in the image says which number it has in there; pid 1 needs none"
        );
    }

    #[test]
    fn everything_that_differs_is_said() {
        let expected = opens("/dev/nul").and_not(matching(r"\.log$")).at_most(2);
        insta::assert_snapshot!(found().assert(&expected).unwrap_err(), @r#"
        match the open files of `nginx` in `web`
          descriptors: expected `/dev/nul`, found none that leads there; nearest is `/dev/null`
          descriptor 10: expected not /\.log$/, found `/var/log/a b -> c.log`
          descriptors: expected at most 2, found 3
          found in full:
            0: /dev/null
            1: pipe:[7]
            10: /var/log/a b -> c.log
        "#);
    }
}

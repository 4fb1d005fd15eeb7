//! What a file should be.

use super::{File, FileKind};
use crate::assert::mismatch::{Difference, Expectation};
use crate::assert::secret::shown;
use crate::assert::size::Size;
use crate::assert::text::Text;
use crate::assert::users::Owner;

/// A file as it should be; what is not said may be anything.
///
/// ```
/// use plimsoll_harness::assert::files::{directory, regular};
/// use plimsoll_harness::assert::text::matching;
///
/// let secret = regular().mode(0o640).owner("root").group("app");
/// let configured = regular().content(matching(r"(?m)^workers = 4$")).size_at_most(4096);
/// let writable = directory().mode(0o755).owner("app");
/// # let _ = (secret, configured, writable);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMatcher {
    /// What it is.
    pub kind: FileKind,
    /// Where it leads, if it is a link and that matters.
    pub target: Option<Text>,
    /// Its permission bits, those for setuid, setgid and sticky included.
    pub mode: Option<u32>,
    /// The name or number of its user.
    pub owner: Option<Text>,
    /// The name or number of its group.
    pub group: Option<Text>,
    /// Its smallest size in bytes.
    pub size_at_least: Option<u64>,
    /// Its largest size in bytes.
    pub size_at_most: Option<u64>,
    /// What should be found in it, each of them.
    pub content: Vec<Text>,
}

/// A regular file.
#[must_use]
pub fn regular() -> FileMatcher {
    FileMatcher::new(FileKind::Regular)
}

/// A directory.
#[must_use]
pub fn directory() -> FileMatcher {
    FileMatcher::new(FileKind::Directory)
}

/// A Unix socket.
#[must_use]
pub fn socket() -> FileMatcher {
    FileMatcher::new(FileKind::Socket)
}

/// Nothing at the path.
#[must_use]
pub fn absent() -> FileMatcher {
    FileMatcher::new(FileKind::Absent)
}

/// A symbolic link.
pub fn symlink(target: impl Into<Text>) -> FileMatcher {
    let target = Some(target.into());
    FileMatcher { target, ..FileMatcher::new(FileKind::Symlink(String::new())) }
}

impl FileMatcher {
    fn new(kind: FileKind) -> Self {
        Self {
            kind,
            target: None,
            mode: None,
            owner: None,
            group: None,
            size_at_least: None,
            size_at_most: None,
            content: Vec::new(),
        }
    }

    /// Says what its permission bits are, such as `0o644` or `0o4755`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Names its user, or gives the user's number.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Text>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Names its group, or gives the group's number.
    #[must_use]
    pub fn group(mut self, group: impl Into<Text>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Says how many bytes it has at least.
    #[must_use]
    pub fn size_at_least(mut self, bytes: u64) -> Self {
        self.size_at_least = Some(bytes);
        self
    }

    /// Says how many bytes it has at most.
    #[must_use]
    pub fn size_at_most(mut self, bytes: u64) -> Self {
        self.size_at_most = Some(bytes);
        self
    }

    /// Says what is in it: all of it for an exact text, some of it for a pattern. `(?m)` lets
    /// `^` and `$` mean the ends of lines. Needs [`files::read`](super::read). A message shows the
    /// first lines of what is there, without the values of names that sound like secrets.
    #[must_use]
    pub fn content(mut self, text: impl Into<Text>) -> Self {
        self.content.push(text.into());
        self
    }

    fn compare_owner(&self, found: &File) -> Vec<Difference> {
        let wanted = [("owner", &self.owner), ("group", &self.group)];
        let wanted = wanted.into_iter().filter_map(|(place, text)| Some((place, text.as_ref()?)));
        let compare = |(place, text): (&str, &Text)| {
            let Some((user, group)) = &found.owner else {
                let found = "nothing: `files::stat` does not ask for it, `files::at` does";
                return Some(Difference::new(place, text.to_string(), found));
            };
            let owner: &Owner = if place == "owner" { user } else { group };
            (!owner.is(text)).then(|| Difference::new(place, text.to_string(), owner.to_string()))
        };
        wanted.filter_map(compare).collect()
    }

    fn compare_content(&self, found: &File) -> Vec<Difference> {
        let Some(bytes) = &found.content else {
            let found = match &found.kind {
                FileKind::Regular => "nothing: only `files::read` asks for it".to_owned(),
                kind => format!("{kind}, which has none"),
            };
            let unread = |text: &Text| Difference::new("content", text.to_string(), found.as_str());
            return self.content.iter().map(unread).collect();
        };
        let missing = self.content.iter().filter(|text| !text.fits(bytes));
        let text = String::from_utf8_lossy(bytes);
        let differs = |expected: &Text| {
            let line = expected.nearest(text.lines()).map(|line| format!("`{}`", shown(line)));
            Difference::new("content", expected.to_string(), excerpt(bytes)).nearest(line)
        };
        missing.map(differs).collect()
    }
}

/// The first lines, as a message has room for them.
fn excerpt(bytes: &[u8]) -> String {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().take(LINES).collect();
    let rest = text.lines().count() - lines.len();
    let rest = if rest == 0 { String::new() } else { format!("\n    and {rest} more lines") };
    let lines = lines.iter().map(|line| format!("\n    {}", shown(line))).collect::<String>();
    format!("{}{}{lines}{rest}", Size(bytes.len() as u64), if lines.is_empty() { "" } else { ":" })
}

impl Expectation<File> for FileMatcher {
    fn differences(&self, found: &File) -> Vec<Difference> {
        let mut differences = Vec::new();
        let alike = std::mem::discriminant(&self.kind) == std::mem::discriminant(&found.kind);
        if !alike {
            let expected = match &self.kind {
                FileKind::Symlink(_) => "a link".to_owned(),
                kind => kind.to_string(),
            };
            let difference = Difference::new("kind", expected, found.kind.to_string());
            differences.push(difference.nearest(found.nearest.clone()));
        }
        if found.kind == FileKind::Absent {
            return differences;
        }
        if let (Some(target), FileKind::Symlink(there)) = (&self.target, &found.kind)
            && !target.fits(there.as_bytes())
        {
            differences.push(Difference::new("target", target.to_string(), format!("`{there}`")));
        }
        if let Some(mode) = self.mode.filter(|mode| *mode != found.mode) {
            let (mode, there) = (format!("{mode:04o}"), format!("{:04o}", found.mode));
            differences.push(Difference::new("mode", mode, there));
        }
        differences.extend(self.compare_owner(found));
        if let Some(least) = self.size_at_least.filter(|least| *least > found.size) {
            let least = format!("at least {}", Size(least));
            differences.push(Difference::new("size", least, Size(found.size).to_string()));
        }
        if let Some(most) = self.size_at_most.filter(|most| *most < found.size) {
            let most = format!("at most {}", Size(most));
            differences.push(Difference::new("size", most, Size(found.size).to_string()));
        }
        if alike {
            differences.extend(self.compare_content(found));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::mismatch::Observed;
    use crate::assert::text::matching;
    use crate::assert::users::Names;

    fn config() -> File {
        let users = Names::parse("app:x:1000:1000::/:/bin/sh");
        File {
            kind: FileKind::Regular,
            mode: 0o600,
            size: 21,
            owner: Some((Owner::new(1000, &users), Owner::new(33, &Names::default()))),
            content: Some(b"workers = 2\ntls = no\n".to_vec()),
            ..File::new("web", "/etc/app.toml")
        }
    }

    #[test]
    fn what_is_as_expected_is() {
        let expected = regular().mode(0o600).owner("app").owner("1000").group("33");
        let expected =
            expected.size_at_least(21).size_at_most(21).content(matching("(?m)^tls = (yes|no)$"));
        assert_eq!(config().assert(&expected), Ok(()));
    }

    #[test]
    fn everything_that_differs_is_said() {
        let expected = regular().mode(0o4755).owner("root").group("app").size_at_most(20);
        let expected = expected.content(matching("(?m)^workers = 4$"));
        insta::assert_snapshot!(config().assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          mode: expected 4755, found 0600
          owner: expected `root`, found `app` (1000)
          group: expected `app`, found 33
          size: expected at most 20 bytes, found 21 bytes
          content: expected /(?m)^workers = 4$/; nearest is `workers = 2`; found 21 bytes:
            workers = 2
            tls = no
        ");
    }

    #[test]
    fn another_kind_of_file_is_said() {
        let link = File { kind: FileKind::Symlink("/old".to_owned()), ..config() };
        let expected = symlink("/new");
        insta::assert_snapshot!(link.assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          target: expected `/new`, found `/old`
        ");
        insta::assert_snapshot!(link.assert(&directory()).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          kind: expected a directory, found a link to `/old`
        ");
        insta::assert_snapshot!(config().assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          kind: expected a link, found a regular file
        ");
    }

    #[test]
    fn what_was_not_asked_for_is_no_pass() {
        let unread = File { owner: None, content: None, ..config() };
        let expected = regular().owner("app").content("");
        insta::assert_snapshot!(unread.assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          owner: expected `app`, found nothing: `files::stat` does not ask for it, `files::at` does
          content: expected ``, found nothing: only `files::read` asks for it
        ");
    }

    #[test]
    fn that_there_is_nothing_is_said_with_what_comes_nearest() {
        let nearest = Some("`/etc/app.toml`".to_owned());
        let nothing = File { nearest, ..File::new("web", "/etc/app.tml") };
        assert_eq!(nothing.assert(&absent()), Ok(()));
        insta::assert_snapshot!(nothing.assert(&regular().mode(0o600)).unwrap_err(), @r"
        match file `/etc/app.tml` of `web`
          kind: expected a regular file, found nothing; nearest is `/etc/app.toml`
        ");
        insta::assert_snapshot!(config().assert(&absent()).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          kind: expected nothing, found a regular file
        ");
    }

    #[test]
    fn what_has_no_content_is_said() {
        let empty = File { size: 0, content: Some(Vec::new()), ..config() };
        let expected = regular().size_at_least(1).content("x");
        insta::assert_snapshot!(empty.assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          size: expected at least 1 byte, found 0 bytes
          content: expected `x`, found 0 bytes
        ");
        let directory_found = File { kind: FileKind::Directory, content: None, ..config() };
        let expected = directory().content(matching("x"));
        insta::assert_snapshot!(directory_found.assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          content: expected /x/, found a directory, which has none
        ");
        let socket_found = File { kind: FileKind::Socket, ..directory_found };
        insta::assert_snapshot!(socket_found.assert(&regular().content("x")).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          kind: expected a regular file, found a socket
        ");
    }

    #[test]
    fn of_a_long_file_the_first_lines_are_shown() {
        let content = (1..=30).map(|line| format!("line {line}\n")).collect::<String>();
        let long = File { content: Some(content.into_bytes()), ..config() };
        let message = long.assert(&regular().content(matching("^none$"))).unwrap_err().to_string();
        assert!(message.ends_with("\n    line 20\n    and 10 more lines"), "{message}");
    }

    #[test]
    fn a_secret_in_it_is_not_told() {
        let content = Some(b"db_user = web\ndb_password = hunter2\n".to_vec());
        let expected = regular().content(matching("(?m)^db_password = .{20}$"));
        insta::assert_snapshot!(File { content, ..config() }.assert(&expected).unwrap_err(), @r"
        match file `/etc/app.toml` of `web`
          content: expected /(?m)^db_password = .{20}$/; nearest is `db_password = (not shown)`; found 36 bytes:
            db_user = web
            db_password = (not shown)
        ");
    }
}

//! The value of `--version`: what it is shortened to, and which tags that makes.

use plimsoll_registry::{Tag, VersionGrammar};

use super::error::DcdError;

/// Which tags a version is asked to make.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Levels {
    /// `--version-latest`
    pub(super) latest: bool,
    /// `--version-semver`
    pub(super) semver: bool,
    /// `--semver-precision`; less than one means one.
    pub(super) precision: i64,
    /// `--semver-zero`
    pub(super) zero: bool,
}

/// A version and what is asked of it.
#[derive(Debug)]
pub(super) struct Version {
    /// `1.2.3`, `1.2`, `1`: longest first, the first is the version as given.
    shortened: Vec<String>,
    /// How many of them, from the first, count as a version at the start of a tag.
    recognised: usize,
    /// How many of them, from the first, make tags.
    named: usize,
    latest: bool,
    prerelease: bool,
}

/// A tag made with a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) tag: String,
    /// What follows the version in it.
    pub(super) suffix: String,
    /// Whether a prerelease may not have it.
    pub(super) withheld: bool,
}

impl Version {
    pub(super) fn new(version: String, levels: &Levels) -> Result<Self, DcdError> {
        // A tag has no `+`; everyone writes `_`, and reads it back.
        let text = version.replace('+', "_");
        if let Err(source) = text.parse::<Tag>() {
            return Err(DcdError::Version { version, source });
        }
        let prerelease = is_prerelease(&text);
        let Some(shortened) = shorten(&text).filter(|_| levels.semver) else {
            if levels.semver {
                return Err(DcdError::EmptyPart(version));
            }
            // The shorter ones make no tags here, but tell which series `latest` is of.
            let shortened = shorten(&text).unwrap_or_else(|| vec![text]);
            let (latest, named) = (levels.latest, 1);
            return Ok(Self { shortened, recognised: 1, named, latest, prerelease });
        };
        let parts = shortened.len();
        let precision = usize::try_from(levels.precision.max(1)).unwrap_or(usize::MAX);
        if precision > parts {
            return Err(DcdError::Precision { precision: levels.precision, version, parts });
        }
        let mut named = parts + 1 - precision;
        if !levels.zero && named > 1 && is_zero(&shortened[named - 1]) {
            named -= 1;
        }
        Ok(Self { shortened, recognised: parts, named, latest: levels.latest, prerelease })
    }

    /// The version as given, as it stands in tags.
    pub(super) fn text(&self) -> &str {
        &self.shortened[0]
    }

    /// The version and everything it can be shortened to, longest first.
    pub(super) fn shortened(&self) -> &[String] {
        &self.shortened
    }

    /// Whether `--version-latest` is given.
    pub(super) fn moves_latest(&self) -> bool {
        self.latest
    }

    /// The tags that `tag` becomes, in push order.
    pub(super) fn tags(&self, tag: &str) -> Vec<Made> {
        let recognised = &self.shortened[..self.recognised];
        let rest = recognised.iter().find_map(|version| match tag.strip_prefix(version.as_str()) {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix('-'),
            None => None,
        });
        // `latest` is the tag of an image without one.
        let suffix = match rest.unwrap_or(tag) {
            "latest" => "",
            suffix => suffix,
        };
        let made = |tag, exact: bool| {
            let withheld = self.prerelease && !exact;
            Made { tag, suffix: suffix.to_owned(), withheld }
        };
        let join = |version: &String| match suffix {
            "" => version.clone(),
            suffix => format!("{version}-{suffix}"),
        };
        let named = self.shortened[..self.named].iter().enumerate();
        let mut tags: Vec<_> = named.map(|(at, version)| made(join(version), at == 0)).collect();
        if self.latest {
            let bare = if suffix.is_empty() { "latest" } else { suffix };
            tags.push(made(bare.to_owned(), false));
        }
        tags
    }
}

/// Everything `[.-]?\w+$` can be removed from, one after the other; nothing if that gets stuck.
fn shorten(version: &str) -> Option<Vec<String>> {
    let mut levels = Vec::new();
    let mut left = version;
    while !left.is_empty() {
        levels.push(left.to_owned());
        let cut = left.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if cut.len() == left.len() {
            return None;
        }
        left = cut.strip_suffix(['.', '-']).unwrap_or(cut);
    }
    // Build metadata is one part, whatever is in it: 1.2.3_build.5 is also 1.2, not 1.2.3_build.
    let number = version.strip_prefix('v').unwrap_or(version);
    let number = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if number.starts_with('_') {
        let start = version.len() - number.len();
        let end = start + number.find('-').unwrap_or(number.len());
        levels.retain(|level| level.len() <= start || level.len() >= end);
    }
    Some(levels)
}

/// `0`, `v0`, `00`: a major version that promises nothing.
fn is_zero(level: &str) -> bool {
    let digits = level.strip_prefix('v').unwrap_or(level);
    !digits.is_empty() && digits.bytes().all(|b| b == b'0')
}

/// Whether a version is one that no stable alias may point at.
///
/// Versions of three numbers are read as everywhere in ocitag. Beyond those, docker-ci-deploy's
/// users have shorter ones and names (`1.2-rc1`, `py3.6-rc1`), and Python's own spelling
/// (`1.2.3rc1`, `1.2.dev4`). Hashes must not be mistaken for any of them.
fn is_prerelease(version: &str) -> bool {
    let grammar = VersionGrammar::default();
    if let Ok(version) = grammar.parse(version) {
        return version.prerelease().is_some();
    }
    let word = |part: &str| {
        let read = || grammar.parse(&format!("0.0.0-{part}"));
        let letter = part.starts_with(|c: char| c.is_ascii_alphabetic());
        letter && read().is_ok_and(|version| version.prerelease().is_some())
    };
    let (core, rest) = version.split_once('-').unwrap_or((version, ""));
    let core = core.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let tail = core.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = core[..core.len() - tail.len()].trim_end_matches('.');
    if number.is_empty() {
        return false;
    }
    if !tail.is_empty() && !tail.starts_with('_') {
        if !number.contains('.') {
            return false;
        }
        if tail.split('.').any(|part| word(part) || is_short_word(part)) {
            return true;
        }
    }
    rest.split(['-', '.']).any(word)
}

/// `a1`, `b2`, `c3`: alpha, beta and release candidate in Python. Without a number they are not:
/// OpenSSL 1.1.1a is stable.
fn is_short_word(part: &str) -> bool {
    let number = part.strip_prefix(['a', 'b', 'c']).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn semver(text: &str) -> Result<Vec<String>, DcdError> {
        let levels = Levels { semver: true, precision: 1, ..Levels::default() };
        let version = Version::new(text.to_owned(), &levels)?;
        Ok(version.shortened[..version.named].to_vec())
    }

    #[test]
    fn a_version_is_shortened_part_by_part() {
        for (text, levels) in [
            ("5.4.1", &["5.4.1", "5.4", "5"][..]),
            ("8.7.1-jessie", &["8.7.1-jessie", "8.7.1", "8.7", "8"]),
            ("1.2.3_4", &["1.2.3_4", "1.2", "1"]),
            ("1.2.3+build.5", &["1.2.3_build.5", "1.2", "1"]),
            ("1.2.3_b.5-alpine", &["1.2.3_b.5-alpine", "1.2.3_b.5", "1.2", "1"]),
            ("py3.6", &["py3.6", "py3"]),
            ("0", &["0"]),
            ("0.0.1", &["0.0.1", "0.0"]),
            ("v0.1.0", &["v0.1.0", "v0.1"]),
            ("00.1", &["00.1"]),
        ] {
            assert_eq!(semver(text).expect("a version"), levels, "{text}");
        }
    }

    #[test]
    fn what_docker_ci_deploy_hung_on_is_refused() {
        for text in ["1.2.3-", "1..2", "1--2", "1.-2", "1."] {
            assert_eq!(semver(text), Err(DcdError::EmptyPart(text.to_owned())));
        }
        for text in ["", "1.2.é", "-1", "1 2"] {
            assert!(matches!(semver(text), Err(DcdError::Version { .. })), "{text}");
        }
    }

    #[test]
    fn prereleases_are_told_from_variants_hashes_and_dates() {
        for prerelease in [
            "2.0.0-rc1",
            "5.5.0-alpha",
            "1.2.3-rc.1-alpine",
            "1.2.3-rc.01",
            "1.2-rc1",
            "2-beta",
            "v2.0-dev",
            "py3.6-rc1",
            "1.2rc1",
            "1.2.3a1",
            "1.2.dev4",
            "2018.12.01-rc.1",
            "1.2.3-4-gabcdef0",
        ] {
            assert!(is_prerelease(prerelease), "{prerelease}");
        }
        for stable in [
            "1.2.3",
            "8.7.1-jessie",
            "py3.6",
            "foo",
            "dev",
            "6c5c258",
            "1ea4567",
            "0ece07c-develop",
            "0ece07c-dev",
            "2018.12.01",
            "2018-12-10",
            "1.1.1a",
            "1.2.3_rc1",
            "1.2_rc1",
            "1.2.post1",
            "2",
        ] {
            assert!(!is_prerelease(stable), "{stable}");
        }
    }
}

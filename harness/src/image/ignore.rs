//! `.dockerignore`: what of a directory is not part of a build.

use regex::Regex;

/// The rules of one `.dockerignore`; of those that match a path the last decides.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<(Regex, bool)>,
}

impl Ignore {
    pub(crate) fn parse(text: &str) -> Result<Self, regex::Error> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let rules = lines.filter(|line| !line.starts_with('#')).map(|line| {
            let (pattern, ignored) = match line.strip_prefix('!') {
                Some(pattern) => (pattern.trim(), false),
                None => (line, true),
            };
            Ok((regex(pattern)?, ignored))
        });
        Ok(Self { rules: rules.collect::<Result<_, regex::Error>>()? })
    }

    /// Whether a path, relative and with `/`, is left out.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        let matching = self.rules.iter().rev().find(|(rule, _)| rule.is_match(path));
        matching.is_some_and(|(_, ignored)| *ignored)
    }

    /// Whether nothing below an ignored directory can come back, so that it need not be read.
    pub(crate) fn is_final(&self) -> bool {
        self.rules.iter().all(|(_, ignored)| *ignored)
    }
}

/// A rule for a directory is one for all that is in it.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = pattern.trim_start_matches("./").trim_matches('/');
    let mut regex = "^".to_owned();
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `**/` also stands for no directory at all.
                regex += if rest.next_if_eq(&'/').is_some() { "(?:.*/)?" } else { ".*" };
            }
            '*' => regex += "[^/]*",
            '?' => regex += "[^/]",
            '[' => regex += "[",
            ']' => regex += "]",
            '\\' => regex += &regex::escape(&rest.next().map(String::from).unwrap_or_default()),
            other => regex += &regex::escape(other.encode_utf8(&mut [0; 4])),
        }
    }
    Regex::new(&(regex + "(?:/.*)?$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_decides() {
        let ignore = Ignore::parse(
            "# comment\n/target\n**/*.log\n*.md\n!README.md\ndocs/?\n./a\\*b\n**/node_modules\n",
        )
        .unwrap();
        for path in [
            "target",
            "target/debug/x",
            "x.log",
            "a/b/x.log",
            "CHANGELOG.md",
            "docs/a",
            "a*b",
            "node_modules/x",
            "web/node_modules/x",
        ] {
            assert!(ignore.ignores(path), "{path}");
        }
        for path in ["targets", "src/target", "README.md", "docs/ab", "sub/x.md", "aXb", "x.logs"] {
            assert!(!ignore.ignores(path), "{path}");
        }
        assert!(!ignore.is_final() && Ignore::default().is_final());
    }

    #[test]
    fn a_bad_pattern_is_an_error() {
        assert!(Ignore::parse("a[b").is_err());
    }
}

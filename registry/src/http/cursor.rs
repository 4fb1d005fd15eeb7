//! The pieces that header fields are made of (RFC 9110, section 5.6).

/// A place in a header field. Every step moves forward, so that reading a field takes time
/// linear in its length.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// What comes next, unread.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Skips one character.
    pub(super) fn skip(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// Skips spaces and tabs; whether there were any.
    pub(super) fn skip_space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        self.rest.len() < before
    }

    /// Skips spaces and all of `separators`, of which a sloppy server sends several.
    pub(super) fn skip_all(&mut self, separators: &[char]) {
        let skipped = |c: char| c == ' ' || c == '\t' || separators.contains(&c);
        self.rest = self.rest.trim_start_matches(skipped);
    }

    /// Takes `expected` if it comes next.
    pub(super) fn take(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes characters as long as `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a token, which may be empty.
    pub(super) fn token(&mut self) -> &'a str {
        self.take_while(is_token)
    }

    /// Takes the value of a parameter: a quoted string with its escapes undone, or what comes
    /// before one of `ends` or a space. A quoted string that never ends, ends with the field.
    pub(super) fn value(&mut self, ends: &[char]) -> String {
        if !self.take('"') {
            return self.take_while(|c| c != ' ' && c != '\t' && !ends.contains(&c)).to_owned();
        }
        let mut value = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => value.extend(chars.next()),
                _ => value.push(c),
            }
        }
        self.rest = chars.as_str();
        value
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

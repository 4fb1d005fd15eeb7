//! What was expected and is not so.

use std::fmt;

use crate::failure::debug_by_message;

/// Something that has been looked at. As text it is all that was found, for snapshots and for
/// messages of one's own.
pub trait Observed: Sized + fmt::Display {
    /// What it is, in the words of a message: "the processes of `web`".
    fn subject(&self) -> String;

    /// All that was found, for the end of a message; nothing where the differences say it all.
    fn in_full(&self) -> Option<String> {
        None
    }

    /// Compares it with what is expected.
    ///
    /// # Errors
    ///
    /// It is different; the error has every difference, not just the first.
    fn assert(&self, expected: &impl Expectation<Self>) -> Result<(), Mismatch> {
        let differences = expected.differences(self);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Mismatch { subject: self.subject(), differences, found: self.in_full() })
    }
}

/// What is expected of a `T`. It asks nobody, so it can be tested without an engine.
pub trait Expectation<T> {
    /// Every way in which what was found is not what is expected; none if it is.
    fn differences(&self, found: &T) -> Vec<Difference>;
}

/// All that is not as expected. `{:?}` is the message as well: that is what a test shows that
/// unwraps it, compares it with `Ok(())`, or returns it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was looked at.
    pub subject: String,
    /// In which ways it is not as expected; never empty.
    pub differences: Vec<Difference>,
    /// All that was found, if the differences do not say it.
    pub found: Option<String>,
}

debug_by_message!(Mismatch);

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where in what was looked at: a field, or the way to it.
    pub place: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What comes nearest to what should be there, if that is something else than `found`.
    pub nearest: Option<String>,
}

impl Difference {
    pub(crate) fn new(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { place: place.into(), expected: expected.into(), found: found.into(), nearest: None }
    }

    pub(crate) fn nearest(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "match {}{}", self.subject, self.details())
    }
}

impl Mismatch {
    /// The message without its first line.
    pub(crate) fn details(&self) -> String {
        let Self { subject: _, differences, found } = self;
        let mut text = String::new();
        for difference in differences {
            text += &format!("\n  {difference}");
        }
        if let Some(found) = found {
            text += "\n  found in full:";
            for line in found.lines() {
                text += &format!("\n    {line}");
            }
        }
        text
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, expected, found, nearest } = self;
        write!(f, "{place}: expected {expected}")?;
        match nearest {
            // What is found may be long: what comes nearest would be lost behind it.
            Some(nearest) if found.contains('\n') => {
                write!(f, "; nearest is {nearest}; found {found}")
            }
            Some(nearest) => write!(f, ", found {found}; nearest is {nearest}"),
            None => write!(f, ", found {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(Vec<Difference>);

    impl fmt::Display for Thing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one\ntwo")
        }
    }

    impl Observed for Thing {
        fn subject(&self) -> String {
            "the thing".to_owned()
        }

        fn in_full(&self) -> Option<String> {
            Some(self.to_string())
        }
    }

    struct Same;

    impl Expectation<Thing> for Same {
        fn differences(&self, found: &Thing) -> Vec<Difference> {
            found.0.clone()
        }
    }

    #[test]
    fn every_difference_has_its_line() {
        let nearest = Some("`DEBUG`".to_owned());
        let differences = vec![
            Difference::new("mode", "0644", "0600"),
            Difference::new("env DEBUGG", "`1`", "no such variable").nearest(nearest),
        ];
        insta::assert_snapshot!(Thing(differences).assert(&Same).unwrap_err(), @r"
        match the thing
          mode: expected 0644, found 0600
          env DEBUGG: expected `1`, found no such variable; nearest is `DEBUG`
          found in full:
            one
            two
        ");
    }

    /// What libtest prints of a test that returns it, and `unwrap` of one that does not.
    #[test]
    fn it_is_readable_where_tests_print_errors_for_debugging() {
        let thing = Thing(vec![Difference::new("mode", "0644", "0600")]);
        insta::assert_snapshot!(format!("{:?}", thing.assert(&Same)), @r"
        Err(failed to match the thing
          mode: expected 0644, found 0600
          found in full:
            one
            two)
        ");
    }

    #[test]
    fn no_difference_is_no_mismatch() {
        assert_eq!(Thing(Vec::new()).assert(&Same), Ok(()));
    }
}

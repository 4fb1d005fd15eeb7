//! An error as the output of a test shows it.

use std::error::Error;
use std::fmt;

/// What a test returns whose errors shall be read: any error, shown with its causes.
///
/// `libtest` prints the error that a test returns by its `Debug`, which of most errors is a heap
/// of fields. Errors of this crate show like this one; [`plimsoll_harness::test`](crate::test)
/// prints those of others like it, too; a test without the attribute returns this.
///
/// ```
/// use plimsoll_harness::Failure;
///
/// fn check(port: &str) -> Result<u16, Failure> {
///     port.parse().map_err(|_| format!("read `{port}` as a port").into())
/// }
///
/// let failure = check("eighty").unwrap_err();
/// assert_eq!(format!("{failure:?}"), "failed to read `eighty` as a port");
/// ```
pub struct Failure(String);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&*error.into())
    }
}

impl Failure {
    /// The same of an error that is needed for something else as well.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self(chain(error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An error and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Errors of this crate are read in the output of tests, where `Debug` is how they get there: from
/// `?` in a test, and from `unwrap`. So that is the message with its causes.
macro_rules! debug_by_message {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::failure::chain(self))
            }
        }
    };
}

pub(crate) use debug_by_message;

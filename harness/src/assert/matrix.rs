//! One definition in many environments, each in a container of its own.

use std::error::Error;
use std::future::Future;

use futures_util::{StreamExt, stream};

use super::mismatch::{Difference, Mismatch};
use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::start::StartError;

/// A definition and the environments it is to be tried in.
///
/// ```no_run
/// use plimsoll_harness::ContainerDefinition;
/// use plimsoll_harness::assert::matrix::Matrix;
/// use plimsoll_harness::assert::{Observed, processes};
/// use plimsoll_harness::assert::processes::proc;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// Matrix::new(ContainerDefinition::new("web", "web:1"))
///     .case("two workers", [("WORKERS", "2")])
///     .case("four workers", [("WORKERS", "4")])
///     .run(|case, started| async move {
///         let count = if case == "two workers" { 2 } else { 4 };
///         let expected = proc("web: master").children(count, proc("web: worker"));
///         processes::of(&started?).await?.assert(&expected)?;
///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
///     })
///     .await
///     .all()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Matrix {
    definition: ContainerDefinition,
    cases: Vec<(String, Vec<(String, String)>)>,
}

impl Matrix {
    /// A definition in no environment yet.
    #[must_use]
    pub fn new(definition: ContainerDefinition) -> Self {
        Self { definition, cases: Vec::new() }
    }

    /// Adds an environment: these variables, over those of the definition. Messages name the
    /// case and not the variables, which may be secret.
    #[must_use]
    pub fn case<N: Into<String>, V: Into<String>>(
        mut self,
        name: impl Into<String>,
        env: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.cases.push((name.into(), env));
        self
    }

    /// Starts a container for each case, at once as many as there are processors but at least
    /// two, and hands each to the check as soon as it is ready. One that does not start is handed over as well:
    /// that it refuses an environment may be what is expected.
    pub async fn run<T, E, Fut>(
        self,
        check: impl Fn(String, Result<Container, StartError>) -> Fut,
    ) -> Results<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { definition, cases } = self;
        let node = definition.name.clone();
        let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let run = |(name, env): (String, Vec<(String, String)>)| {
            let (mut definition, check) = (definition.clone(), &check);
            definition.env.retain(|(old, _)| env.iter().all(|(new, _)| new != old));
            definition.env.extend(env);
            async move {
                let started = definition.start().await;
                (name.clone(), check(name, started).await)
            }
        };
        Results { node, cases: stream::iter(cases).map(run).buffered(at_once).collect().await }
    }
}

/// What came of each case, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results<T, E> {
    /// What the definition calls the container.
    pub node: String,
    /// The name of each case and what its check gave.
    pub cases: Vec<(String, Result<T, E>)>,
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Results<T, E> {
    /// What the checks gave, if all passed.
    ///
    /// # Errors
    ///
    /// At least one did not; the error names each that did not.
    pub fn all(self) -> Result<Vec<T>, Mismatch> {
        let Self { node, cases } = self;
        let count = cases.len();
        let (mut passed, mut differences) = (Vec::new(), Vec::new());
        for (name, result) in cases {
            match result {
                Ok(value) => passed.push(value),
                Err(error) => {
                    let there = in_full(&*error.into());
                    differences.push(Difference::new(format!("case `{name}`"), "a pass", there));
                }
            }
        }
        if differences.is_empty() {
            return Ok(passed);
        }
        let environments = if count == 1 { "environment" } else { "environments" };
        let passed = passed.len();
        let subject = format!("`{node}` in {count} {environments}, of which {passed} passed");
        Err(Mismatch { subject, differences, found: None })
    }
}

/// The message with those of its causes; each may have several lines, which are indented.
fn in_full(error: &dyn Error) -> String {
    let mut text = format!("that it failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\ncaused by: {error}");
        cause = error.source();
    }
    text.replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::engine::EngineError;

    #[test]
    fn every_case_that_failed_is_named_with_its_causes() {
        let refusal = EngineError::Thread(Arc::new(io::Error::other("too many threads")));
        let cases = vec![
            ("plain".to_owned(), Ok(1)),
            ("debug".to_owned(), Err("match the log\n  lines: expected 1, found 2".into())),
            ("secure".to_owned(), Err(Box::from(refusal))),
        ];
        let results: Results<u8, Box<dyn Error + Send + Sync>> =
            Results { node: "web".to_owned(), cases };
        insta::assert_snapshot!(results.all().unwrap_err(), @r"
        match `web` in 3 environments, of which 1 passed
          case `debug`: expected a pass, found that it failed to match the log
              lines: expected 1, found 2
          case `secure`: expected a pass, found that it failed to start the thread that talks to the container engine
            caused by: too many threads
        ");
        let alone = Results::<u8, _> {
            node: "web".to_owned(),
            cases: vec![("plain".to_owned(), Err("answer"))],
        };
        insta::assert_snapshot!(alone.all().unwrap_err(), @r"
        match `web` in 1 environment, of which 0 passed
          case `plain`: expected a pass, found that it failed to answer
        ");
    }

    #[test]
    fn if_all_passed_all_is_given() {
        let cases = vec![("plain".to_owned(), Ok(1))];
        let results: Results<u8, String> = Results { node: "web".to_owned(), cases };
        assert_eq!(results.all(), Ok(vec![1]));
    }
}

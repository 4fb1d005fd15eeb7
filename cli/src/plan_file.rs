//! Plan files: what `ocitag plan` decided, for `ocitag apply` to do and nothing else.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use plimsoll_registry::{Plan, Release, SCHEMA};
use serde::{Deserialize, Serialize};

use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// The plans of one run. It holds no credentials and nothing of this machine.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanFile {
    schema: u32,
    pub(crate) images: Vec<PlannedImage>,
}

/// One image, what was asked for it, and what was planned.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedImage {
    /// The location, as written by the user, without tag and digest.
    pub(crate) image: String,
    pub(crate) release: Release,
    pub(crate) plan: Plan,
}

/// Why a plan file is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanFileError {
    #[error("read plan {}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("read plan {}", .path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("read plan {}: it has schema {found}, and this ocitag knows {SCHEMA}", .path.display())]
    Schema { path: PathBuf, found: u32 },
    #[error("write plan {}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

impl PlanFile {
    pub(crate) fn new(images: Vec<PlannedImage>) -> Self {
        Self { schema: SCHEMA, images }
    }

    /// Reads a plan file.
    pub(crate) fn read(path: &Path) -> Result<Self, PlanFileError> {
        /// Only what tells whether the rest can be read.
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        let json = |source| PlanFileError::Json { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanFileError::Read { path: path.to_owned(), source })?;
        let Versioned { schema } = serde_json::from_str(&text).map_err(json)?;
        if schema != SCHEMA {
            return Err(PlanFileError::Schema { path: path.to_owned(), found: schema });
        }
        serde_json::from_str(&text).map_err(json)
    }

    /// Writes the plan file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), PlanFileError> {
        let write = || {
            let directory = match path.parent() {
                Some(directory) if !directory.as_os_str().is_empty() => directory,
                _ => Path::new("."),
            };
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(crate::output::json(self).as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| PlanFileError::Write { path: path.to_owned(), source })
    }
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        match &error {
            PlanFileError::Read { source, .. } | PlanFileError::Write { source, .. } => {
                Self::of_file(&error.to_string(), source)
            }
            _ => Self::of(&error, ExitCode::Local)
                .with_remedy("make it anew with ocitag plan --plan-out FILE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plan_file_is_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("plan.json");
        let said = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Failure::from(PlanFile::read(&path).expect_err(text)).text()
        };
        assert!(said("{").contains("line 1"), "{}", said("{"));
        assert!(said(r#"{"schema":2,"new":true}"#).contains("schema 2"));
        assert!(said(r#"{"schema":1,"images":[{}]}"#).contains("missing field"));
        std::fs::remove_file(&path).expect("removed");
        let gone = Failure::from(PlanFile::read(&path).expect_err("gone")).text();
        assert!(gone.contains("plan.json"), "{gone}");
    }
}

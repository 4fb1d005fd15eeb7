//! Where artefacts go.

use std::env;
use std::path::{Path, PathBuf};

use crate::process::ProcessIdentity;

/// Overrides the directory; without it they go where cargo builds.
pub(super) const VARIABLE: &str = "PLIMSOLL_ARTEFACTS";

/// `target/plimsoll/<run>/<test>`.
pub(super) fn of_test(test: &str) -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let root = match variable(VARIABLE) {
        Some(directory) => PathBuf::from(directory),
        None => {
            let executable = env::current_exe().unwrap_or_default();
            target(&executable).unwrap_or_else(|| "target".into()).join("plimsoll")
        }
    };
    // The processes of one run of nextest have one directory.
    let run = match variable("NEXTEST_RUN_ID") {
        Some(run) => run.to_string_lossy().into_owned(),
        None => ProcessIdentity::current().run().to_owned(),
    };
    let attempt = variable("NEXTEST_ATTEMPT").filter(|attempt| attempt != "1");
    let attempt = attempt.map(|attempt| format!("-attempt-{}", attempt.display()));
    root.join(name(&run)).join(name(test) + &attempt.unwrap_or_default())
}

/// Cargo marks the directory it builds in for backup programs (bford.info/cachedir).
fn target(executable: &Path) -> Option<PathBuf> {
    let mut ancestors = executable.ancestors();
    ancestors.find(|path| path.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
}

/// A name for a file, on every system: artefacts are uploaded and downloaded again.
fn name(text: &str) -> String {
    let name: String = text
        .replace("::", ".")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
        .collect();
    match name.trim_matches('.') {
        "" => "test".to_owned(),
        name => name.chars().take(150).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_a_directory_of_its_name() {
        assert_eq!(name("web::admin::logs_in"), "web.admin.logs_in");
        assert_eq!(name("case(\"a/b\", 3)"), "case__a_b___3_");
        assert_eq!((name("../.."), name("")), ("_".to_owned(), "test".to_owned()));
        assert_eq!(name(&"x".repeat(400)).len(), 150);
    }

    #[test]
    fn artefacts_go_where_cargo_builds() {
        let executable = env::current_exe().unwrap();
        let target = target(&executable).unwrap();
        assert!(executable.starts_with(&target) && target.join("CACHEDIR.TAG").is_file());
        let directory = of_test("a::b");
        assert!(directory.ends_with("a.b"), "{}", directory.display());
    }
}

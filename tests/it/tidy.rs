//! The project's own rules, held by a machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::TestResult;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(args).current_dir(root()).output().expect("run cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Of all platforms: cargo fetches what it did not need to build for this one.
fn metadata() -> Result<Value, serde_json::Error> {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--locked"]))
}

/// Every crate in the graph of a package, by name.
fn graph(args: &[&str]) -> BTreeSet<String> {
    let fixed = ["tree", "--locked", "--offline", "--prefix", "none", "--edges", "normal"];
    let args: Vec<_> = fixed.iter().chain(args).copied().collect();
    let names = cargo(&args);
    names.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_edges_of_the_workspace() {
    let registry = graph(&["-p", "plimsoll-registry", "--all-features"]);
    assert!(!registry.contains("plimsoll-harness"));
    let harness = graph(&["-p", "plimsoll-harness", "--all-features"]);
    assert!(!harness.contains("plimsoll-registry"));
    assert!(registry.contains("serde_json") && harness.contains("testcontainers"));
}

#[test]
fn the_pure_core_has_no_runtime_and_no_network() {
    let core = graph(&["-p", "plimsoll-registry", "--no-default-features"]);
    assert!(core.contains("serde_json"), "{core:?}");
    for absent in ["tokio", "reqwest", "hyper", "rustls", "tracing", "tempfile"] {
        assert!(!core.contains(absent), "{absent}");
    }
}

#[test]
fn the_changelog_has_the_current_version() {
    let version = format!("## {}", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").lines().any(|line| line.starts_with(&version)), "{version}");
}

#[test]
fn the_gate_runs_the_command_of_the_readme() {
    let command = "cargo test --workspace";
    assert!(read("README.md").lines().any(|line| line == format!("$ {command}")));
    assert!(read(".ci/run").lines().any(|line| line.ends_with(&format!(" {command}"))));
}

/// `rust-version` is a promise about the dependencies too; clippy's `incompatible_msrv` holds it
/// for our own code.
#[test]
fn no_dependency_needs_a_newer_rust_than_we_promise() -> TestResult {
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').take(2).map(|part| part.parse().expect("a number")).collect()
    };
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = packages.iter().find(|package| package["name"] == "ocitag").expect("ocitag");
    let promised = ours["rust_version"].as_str().expect("a rust-version");
    assert!(read("README.md").contains(&format!("Rust {promised}")), "README says {promised}");
    for package in packages {
        if let Some(needed) = package["rust_version"].as_str() {
            assert!(numbers(needed) <= numbers(promised), "{} needs {needed}", package["name"]);
        }
    }
    Ok(())
}

#[test]
fn every_licence_is_one_we_can_ship_with() -> TestResult {
    const ALLOWED: [&str; 11] = [
        "MIT",
        "Apache-2.0",
        "Unlicense",
        "ISC",
        "Zlib",
        "BSD-3-Clause",
        "BSD-2-Clause",
        "Unicode-3.0",
        "BSL-1.0",
        "CDLA-Permissive-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ];
    let metadata = metadata()?;
    for package in metadata["packages"].as_array().expect("packages") {
        let licence = package["license"].as_str().unwrap_or_default();
        // Of alternatives one is enough; of several that all hold, each must do.
        let alternatives = licence.replace('/', " OR ").replace(['(', ')'], "");
        let fine = alternatives
            .split(" AND ")
            .all(|all| all.split(" OR ").any(|one| ALLOWED.contains(&one.trim())));
        assert!(fine, "{}: {licence:?}", package["name"]);
    }
    Ok(())
}

#[test]
fn there_is_one_crypto_provider_and_one_engine_client() {
    let all = graph(&["--workspace", "--all-features"]);
    assert!(all.contains("ring") && all.contains("bollard"));
    for absent in ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"] {
        assert!(!all.contains(absent), "{absent}");
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in directory.read_dir().expect("a directory of the project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_file_is_one_noun() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    assert!(found.len() > 40, "{}", found.len());
    for path in found {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let lines = text.lines().count();
        assert!(lines <= 480, "{} has {lines} lines", path.display());
        let ignored = concat!("#[", "ignore");
        assert!(!text.contains(ignored), "{} has an ignored test", path.display());
    }
}

/// Each numbered edge of the documentation has a test that is named after it.
#[test]
fn every_edge_has_a_test() {
    let list = read("docs/edges.md");
    let number = |line: &str| -> Option<u32> { line.split_once(". ")?.0.parse().ok() };
    let listed: Vec<u32> = list.lines().filter_map(number).collect();
    assert_eq!(listed, (1..=41).collect::<Vec<_>>());
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let text: Vec<_> =
        found.iter().map(std::fs::read_to_string).collect::<Result<_, _>>().expect("UTF-8");
    for edge in listed {
        let test = format!("fn edge_{edge}_");
        assert!(text.iter().any(|text| text.contains(&test)), "edge {edge} has no test");
    }
}

/// Each edge and defect in the documentation of the harness has a test whose name begins with it,
/// and each test that is named so is of one of them.
#[test]
fn every_edge_of_the_harness_has_a_test() {
    let list = read("docs/harness-edges.md");
    let lines = list.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("_`: "));
    let listed: Vec<_> = lines.map(|(slug, _)| slug).collect();
    let defects = listed.iter().filter(|slug| slug.starts_with("defect_")).count();
    assert_eq!((defects, listed.len() - defects), (13, 39));
    let mut found = Vec::new();
    for directory in ["harness", "tests"] {
        sources(&root().join(directory), &mut found);
    }
    let texts = found.iter().map(|path| std::fs::read_to_string(path).expect("UTF-8"));
    let names: Vec<_> = texts.flat_map(|text| test_names(&text)).collect();
    let is_of = |name: &str, slug: &str| name.starts_with(&format!("{slug}_"));
    for slug in &listed {
        assert!(names.iter().any(|name| is_of(name, slug)), "{slug} has no test");
    }
    for name in names {
        let known = listed.iter().any(|slug| is_of(&name, slug));
        assert!(known, "docs/harness-edges.md has no line for {name}");
    }
}

/// The tests named after an edge or a defect of the harness; edges of registries have numbers.
fn test_names(text: &str) -> Vec<String> {
    let name = |line: &str| -> Option<String> {
        let (name, _) = line.split_once("fn ")?.1.split_once('(')?;
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let edge = name.strip_prefix("edge_");
        let of_harness = edge.is_some_and(|rest| !rest.starts_with(char::is_numeric));
        (is_word && (of_harness || name.starts_with("defect_"))).then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

//! `ocitag dcd`: the command line of docker-ci-deploy 0.3.0, as a value.
//!
//! [`Dcd::parse`] reads and writes no registry: it turns arguments into the references
//! that are to be pushed, or refuses all of them. Where this differs from docker-ci-deploy, and
//! why, is in `docs/dcd.md`.

mod command_line;
mod error;
mod run;
mod target;
mod version;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;

use plimsoll_registry::{Location, Reference, Selector};

use command_line::{CommandLine, Parsed};
pub use error::{DcdError, DcdUsage};
pub(crate) use run::main;
pub use target::{DcdTarget, Series};
use target::{Targets, identity};
use version::Version;

/// What `ocitag dcd --help` prints.
pub const HELP: &str = include_str!("dcd/help.txt");

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DcdCommand {
    /// Print [`HELP`] and end with success.
    Help,
    /// Tag images.
    Run(Dcd),
}

/// A run: which image gets which tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dcd {
    /// The images in the order given; at least one, and each has a target.
    pub images: Vec<DcdImage>,
    /// Print [`Dcd::lines`] and touch no registry.
    pub dry_run: bool,
    /// Say on stderr what is done.
    pub verbose: bool,
    /// What the user should know, one line each: for stderr, before anything is done.
    pub warnings: Vec<String>,
}

/// An image and the references it is to be pushed as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcdImage {
    /// The image as given.
    pub source: Reference,
    /// Where it goes, in push order: from specific to broad for each tag given. No two images
    /// have the same target; one without tag and digest means `latest`, as everywhere.
    pub targets: Vec<DcdTarget>,
    /// What docker-ci-deploy would also have pushed: the stable aliases of a prerelease.
    pub withheld: Vec<Reference>,
}

impl Dcd {
    /// Reads the arguments that follow `ocitag dcd`.
    ///
    /// # Errors
    /// When any part of the command line is wrong, down to the last image. Every error is the
    /// caller's to correct, and none leaves anything done: exit code 2.
    pub fn parse<S: AsRef<OsStr>>(args: &[S]) -> Result<DcdCommand, DcdError> {
        match command_line::parse(args).map_err(DcdError::Usage)? {
            Parsed::Help => Ok(DcdCommand::Help),
            Parsed::Run(line) => Self::of(line).map(DcdCommand::Run),
        }
    }

    /// What a dry run prints: one reference a line, in push order.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.images
            .iter()
            .flat_map(|image| &image.targets)
            .map(|target| target.reference.to_string())
    }

    fn of(mut line: CommandLine) -> Result<Self, DcdError> {
        let version =
            line.version.take().map(|text| Version::new(text, &line.levels)).transpose()?;
        let targets = Targets { version, tags: line.tags.take(), registry: line.registry.take() };
        targets.check_registry(&mut line.warnings)?;
        let mut images: Vec<DcdImage> = Vec::new();
        let mut taken = Taken::default();
        for image in &line.images {
            let source: Reference = image.parse().map_err(DcdError::Reference)?;
            let mut image = targets.of(&source)?;
            taken.merge(&mut image)?;
            if !image.targets.is_empty() {
                images.push(image);
            }
        }
        warn(&targets, &images, &mut line.warnings);
        let CommandLine { dry_run, verbose, warnings, .. } = line;
        Ok(Self { images, dry_run, verbose, warnings })
    }
}

/// Which targets are spoken for, and by which image.
#[derive(Default)]
struct Taken {
    sources: HashMap<(Location, Selector), Reference>,
}

impl Taken {
    /// Drops what is done already from `image`.
    fn merge(&mut self, image: &mut DcdImage) -> Result<(), DcdError> {
        let mut merged = Vec::with_capacity(image.targets.len());
        for target in image.targets.drain(..) {
            match self.sources.entry(identity(&target.reference)) {
                Entry::Vacant(free) => {
                    free.insert(image.source.clone());
                    merged.push(target);
                }
                Entry::Occupied(other) if identity(other.get()) == identity(&image.source) => {}
                Entry::Occupied(other) => {
                    let (first, second) = (other.get().to_string(), image.source.to_string());
                    let target = target.reference.to_string();
                    return Err(DcdError::Collision { target, first, second });
                }
            }
        }
        image.targets = merged;
        Ok(())
    }
}

fn warn(targets: &Targets, images: &[DcdImage], warnings: &mut Vec<String>) {
    let Some(version) = &targets.version else { return };
    let withheld: Vec<_> =
        images.iter().flat_map(|image| &image.withheld).map(Reference::to_string).collect();
    if !withheld.is_empty() {
        let (version, withheld) = (version.text(), withheld.join(", "));
        warnings.push(format!(
            "{version} is a prerelease and moves no stable alias; left out: {withheld}"
        ));
    }
    let tags = targets.tags.iter().flatten();
    if !version.moves_latest() && tags.into_iter().any(|tag| tag == "latest") {
        warnings.push(
            "with --version, --tag latest means no suffix; it moves latest only together with \
             --version-latest (--tag '' means the same and is not warned about)"
                .to_owned(),
        );
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

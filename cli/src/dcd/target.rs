//! Targets: the references that an image is pushed as.

use plimsoll_registry::{
    Alias, AliasPolicy, Breadth, Leader, Location, Precision, Reference, Repository, Selector, Tag,
    VersionGrammar, VersionTag,
};

use super::DcdImage;
use super::error::DcdError;
use super::version::Version;

/// A reference to push, and what decides whether it may move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcdTarget {
    /// The reference as a dry run prints it.
    pub reference: Reference,
    /// The series its tag stands for. Without one nothing can be newer, and it moves as told:
    /// the version has not three numbers, or there is none.
    pub series: Option<Series>,
}

/// What a tag stands for: a version, or the highest version of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The version being pushed, seen from this series: `1.2.3-alpine` for `1.2-alpine`.
    pub version: VersionTag,
    /// How broad the series is. [`Breadth::Exact`] is the version's own tag.
    pub breadth: Breadth,
}

impl Series {
    /// Who leads this series when `existing` are the versions in the repository.
    ///
    /// A version's own tag is led by nobody else; whether it may be replaced is another question.
    #[must_use]
    pub fn leader<'v>(&self, existing: impl IntoIterator<Item = &'v VersionTag>) -> Leader {
        let aliases = ALL.aliases(&self.version);
        match aliases.into_iter().find(|alias| alias.breadth == self.breadth) {
            Some(alias) => ALL.leader(&alias, &self.version, existing),
            None => Leader::Incoming,
        }
    }
}

/// From a source to its targets.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) version: Option<Version>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) registry: Option<String>,
}

/// All aliases there are: which of them are wanted was decided on the command line.
const ALL: AliasPolicy =
    AliasPolicy { precision: Precision::Major, zero_major: true, latest: true };

impl Targets {
    /// Refuses a registry that can stand before no image.
    pub(super) fn check_registry(&self, warnings: &mut Vec<String>) -> Result<(), DcdError> {
        let Some(registry) = &self.registry else { return Ok(()) };
        match format!("{registry}/name").parse::<Repository>() {
            Ok(name) if explicit_host(&name) => {}
            Ok(_) => warnings.push(format!(
                "--registry {registry} is not a host (it has no dot and no port): \
                 images go to {registry}/ on Docker Hub"
            )),
            Err(source) => {
                return Err(DcdError::Registry { registry: registry.clone(), source });
            }
        }
        Ok(())
    }

    /// The targets of `source`, in push order, some perhaps more than once.
    pub(super) fn of(&self, source: &Reference) -> Result<DcdImage, DcdError> {
        let name = self.name(source)?;
        let own = source.tag().map_or("", Tag::as_str).to_owned();
        // An image given by digest alone has no tag to push it as: only its digest.
        let by_digest = source.digest().filter(|_| own.is_empty());
        let by_digest = by_digest.filter(|_| self.tags.is_none() && self.version.is_none());
        let mut image = DcdImage { source: source.clone(), targets: vec![], withheld: vec![] };
        if let Some(digest) = by_digest {
            let reference = written(source, format!("{name}@{digest}"))?;
            image.targets.push(DcdTarget { reference, series: None });
            return Ok(image);
        }
        for tag in self.tags.as_ref().unwrap_or(&vec![own]) {
            let tag = tag.replace('+', "_");
            let Some(version) = &self.version else {
                let reference = tagged(source, &name, &tag)?;
                image.targets.push(DcdTarget { reference, series: None });
                continue;
            };
            for made in version.tags(&tag) {
                let reference = tagged(source, &name, &made.tag)?;
                let series = series(&made.tag, &made.suffix, version);
                if made.withheld || series.as_ref().is_some_and(is_alias_of_prerelease) {
                    if !image.withheld.contains(&reference) {
                        image.withheld.push(reference);
                    }
                    continue;
                }
                image.targets.push(DcdTarget { reference, series });
            }
        }
        Ok(image)
    }

    /// What stands before the tag: the name, under the registry if one is given.
    fn name(&self, source: &Reference) -> Result<String, DcdError> {
        let Some(registry) = &self.registry else { return Ok(source.location().to_string()) };
        let Location::Registry(repository) = source.location() else {
            return Err(DcdError::OnDisk(source.to_string()));
        };
        let name = repository.to_string();
        let path = match name.split_once('/') {
            Some((_, path)) if explicit_host(repository) => path,
            _ => &name,
        };
        Ok(format!("{registry}/{path}"))
    }
}

/// Whether the name is written with its host.
fn explicit_host(repository: &Repository) -> bool {
    let written = repository.to_string();
    repository.path() != written && repository.path() != format!("library/{written}")
}

fn tagged(source: &Reference, name: &str, tag: &str) -> Result<Reference, DcdError> {
    if tag.is_empty() {
        return written(source, name.to_owned());
    }
    match tag.parse::<Tag>() {
        Ok(tag) => written(source, format!("{name}:{tag}")),
        Err(source) => Err(DcdError::Tag { tag: tag.to_owned(), source }),
    }
}

/// Reads back what will be printed: `oci:5000/web` is not in a registry called `oci`, and the
/// directory `a:b` cannot be written without a tag.
fn written(source: &Reference, text: String) -> Result<Reference, DcdError> {
    let reference: Reference = text.parse().map_err(DcdError::Reference)?;
    let stays = match (source.location(), reference.location()) {
        (Location::Registry(_), Location::Registry(_)) => true,
        (from, to) => from == to,
    };
    if stays { Ok(reference) } else { Err(DcdError::Unwritable(text)) }
}

/// What tells a reference from others; a missing tag means `latest`.
pub(super) fn identity(reference: &Reference) -> (Location, Selector) {
    let selector = reference.selector().unwrap_or_else(|| Tag::latest().into());
    (reference.location().clone(), selector)
}

/// A suffix can make a prerelease too: 0.0.0 with the tag `0-a` is 0.0.0-0-a, of which `0-a` would
/// be an alias.
fn is_alias_of_prerelease(series: &Series) -> bool {
    series.breadth != Breadth::Exact && series.version.prerelease().is_some()
}

/// The series of `tag`, which `version` or a shorter one made together with `suffix`.
///
/// The shorter ones are tried too: 8.7.1-jessie is also 8.7 to docker-ci-deploy, and 8.7 is led
/// by versions such as 8.7.1.
fn series(tag: &str, suffix: &str, version: &Version) -> Option<Series> {
    let grammar = VersionGrammar::default();
    for text in version.shortened() {
        let whole = if suffix.is_empty() { text.clone() } else { format!("{text}-{suffix}") };
        let Ok(version_tag) = grammar.parse(&whole) else { continue };
        if version_tag.tag().as_str() == tag {
            // 8.7.1 is not the own tag of 8.7.1-jessie: whichever variant comes last has it.
            let own = text == version.text();
            return own.then_some(Series { version: version_tag, breadth: Breadth::Exact });
        }
        let alias = ALL.aliases(&version_tag).into_iter().find(|alias| alias.tag.as_str() == tag);
        if let Some(Alias { breadth, .. }) = alias {
            return Some(Series { version: version_tag, breadth });
        }
    }
    None
}

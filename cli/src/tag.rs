//! `ocitag tag` and `ocitag plan`: the images of the command line, planned and then applied, or
//! planned and written down.

use std::path::Path;

use plimsoll_registry::{Reference, Release, Selector};

use crate::args::TagArgs;
use crate::batch::{Batch, Planned, plans};
use crate::console::Console;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::plan_file::{PlanFile, PlannedImage};
use crate::results::Results;

pub(crate) async fn run(args: &TagArgs, console: &Console) -> Result<Output, Failure> {
    let batch = Batch::open(&args.registry, images(args)?, console)?;
    let results = match planned(args, &batch).await {
        Ok(planned) if args.conduct.dry_run => Results::planned(plans(planned), Vec::new()),
        Ok(planned) => batch.apply(planned).await,
        Err(results) => results,
    };
    Ok(results.printed(&args.output))
}

/// `ocitag plan`: as a dry run, and the plan in a file if one is named.
pub(crate) async fn plan(
    args: &TagArgs,
    file: Option<&Path>,
    console: &Console,
) -> Result<Output, Failure> {
    let images = images(args)?;
    let batch = Batch::open(&args.registry, images.clone(), console)?;
    let planned = match planned(args, &batch).await {
        Ok(planned) => planned,
        Err(results) => return Ok(results.printed(&args.output)),
    };
    if let Some(file) = file {
        let images = images.into_iter().zip(&planned).map(|((reference, _, release), planned)| {
            let image = reference.location().to_string();
            PlannedImage { image, release, plan: planned.plan.clone() }
        });
        PlanFile::new(images.collect()).write(file)?;
    }
    Ok(Results::planned(plans(planned), Vec::new()).printed(&args.output))
}

/// Every image planned, and none with a conflict; or what there is to report instead.
async fn planned(args: &TagArgs, batch: &Batch) -> Result<Vec<Planned>, Results> {
    batch.check_platforms(&args.conduct.require_platforms).await?;
    batch.plan().await
}

type Images = Vec<(Reference, Selector, Release)>;

fn images(args: &TagArgs) -> Result<Images, Failure> {
    let release = args.conduct.apply_to(args.release.release()?);
    let exact = || Selector::Tag(release.versions[0].tag().clone());
    let references = parse(&args.images)?.into_iter();
    let images = references.map(|reference| {
        let source = reference.selector().unwrap_or_else(exact);
        (reference, source, release.clone())
    });
    Ok(images.collect())
}

/// The references, each once, and no repository with two different sources.
pub(crate) fn parse(images: &[String]) -> Result<Vec<Reference>, Failure> {
    let mut references: Vec<Reference> = Vec::with_capacity(images.len());
    for image in images {
        let reference: Reference =
            image.parse().map_err(|error| Failure::of(&error, ExitCode::Usage))?;
        if references.contains(&reference) {
            continue;
        }
        let same = |other: &&Reference| other.location() == reference.location();
        if let Some(other) = references.iter().find(same) {
            return Err(Failure::usage(format!(
                "{other} and {reference} are in one repository, \
                 where one version cannot be two images"
            )));
        }
        references.push(reference);
    }
    Ok(references)
}

//! `ocitag tag` and `ocitag plan`: the images of the command line, planned and then applied, or
//! planned and written down.

use std::path::Path;

use plimsoll_registry::{Guard, Reference, Release, Selector};

use crate::args::TagArgs;
use crate::batch::{Batch, Planned};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Output, Results};
use crate::plan_file::{PlanFile, PlannedImage};

pub(crate) async fn run(args: &TagArgs) -> Result<Output, Failure> {
    let (batch, _, planned) = match planned(args).await? {
        Ok(planned) => planned,
        Err(output) => return Ok(output),
    };
    if args.dry_run {
        return Ok(Results::plans(planned).printed(&args.output));
    }
    let (reports, errors) = batch.apply(planned).await;
    Ok(Results { reports: Some(reports), errors, ..Results::default() }.printed(&args.output))
}

/// `ocitag plan`: as a dry run, and the plan in a file if one is named.
pub(crate) async fn plan(args: &TagArgs, file: Option<&Path>) -> Result<Output, Failure> {
    let (_, images, planned) = match planned(args).await? {
        Ok(planned) => planned,
        Err(output) => return Ok(output),
    };
    if let Some(file) = file {
        let images = images.into_iter().zip(&planned).map(|((reference, _, release), planned)| {
            let image = reference.location().to_string();
            PlannedImage { image, release, plan: planned.plan.clone() }
        });
        PlanFile::new(images.collect()).write(file)?;
    }
    Ok(Results::plans(planned).printed(&args.output))
}

type Images = Vec<(Reference, Selector, Release)>;

/// Every image planned, and none with a conflict; or what there is to print instead.
async fn planned(args: &TagArgs) -> Result<Result<(Batch, Images, Vec<Planned>), Output>, Failure> {
    let images = images(args)?;
    let batch = Batch::open(&args.registry, images.clone())?;
    let planned = match batch.plan().await {
        Ok(planned) => planned,
        Err(errors) => {
            return Ok(Err(Results { errors, ..Results::default() }.printed(&args.output)));
        }
    };
    let errors: Vec<_> = planned.iter().flat_map(Planned::conflicts).collect();
    if errors.is_empty() {
        return Ok(Ok((batch, images, planned)));
    }
    let results = Results { errors, ..Results::plans(planned) };
    Ok(Err(results.printed(&args.output)))
}

fn images(args: &TagArgs) -> Result<Images, Failure> {
    let mut release = args.release.release()?;
    release.force = args.force;
    release.guard = if args.no_guard { Guard::Off } else { Guard::Full };
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

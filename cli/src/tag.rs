//! `ocitag tag`: observe and plan every image, then apply the plans one after the other.

use futures_util::future;
use plimsoll_registry::{
    Guard, Observation, ObserveError, Outcome, Plan, Reference, Release, Report, SCHEMA, Selector,
    Store, Target, plan,
};
use serde::Serialize;

use crate::args::{Format, OutputArgs, TagArgs};
use crate::destination::Destinations;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::text;

/// One image to tag.
struct Image {
    /// As plans and reports name it.
    name: String,
    source: Selector,
    store: Box<dyn Store>,
}

/// What `--output json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'j> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    plans: Option<&'j [Plan]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<&'j [Report]>,
    errors: &'j [Failure],
}

pub(crate) async fn run(args: &TagArgs) -> Result<Output, Failure> {
    let mut release = args.release.release()?;
    release.force = args.force;
    release.guard = if args.no_guard { Guard::Off } else { Guard::Full };
    let images = open(args, &release)?;
    let concurrency = args.registry.concurrency.get();
    let targets: Vec<Target<'_>> = images
        .iter()
        .map(|image| Target { store: &*image.store, repository: &image.name, concurrency })
        .collect();
    let looks = targets.iter().zip(&images);
    let looks = looks.map(|(target, image)| target.observe(&release, &image.source));
    let observations = match gather(future::join_all(looks).await) {
        Ok(observations) => observations,
        Err(errors) => return Ok(printed(&args.output, None, None, &errors)),
    };
    let plans: Vec<Plan> =
        observations.iter().map(|observation| plan(&release, observation)).collect();
    let conflicts = conflicts(&plans);
    if args.dry_run || !conflicts.is_empty() {
        return Ok(printed(&args.output, Some(&plans), None, &conflicts));
    }
    let (reports, errors) = apply(&release, &targets, observations, &plans).await;
    Ok(printed(&args.output, None, Some(&reports), &errors))
}

/// Parses every image before any is opened, and opens every one before any is asked.
fn open(args: &TagArgs, release: &Release) -> Result<Vec<Image>, Failure> {
    let references = parse(&args.images)?;
    let mut destinations = Destinations::new(&args.registry, &references)?;
    let mut images = Vec::with_capacity(references.len());
    for reference in references {
        let exact = || Selector::Tag(release.versions[0].tag().clone());
        images.push(Image {
            name: reference.location().to_string(),
            source: reference.selector().unwrap_or_else(exact),
            store: destinations.open(&reference)?,
        });
    }
    Ok(images)
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

/// All observations, or all that failed.
fn gather(
    results: Vec<Result<Observation, ObserveError>>,
) -> Result<Vec<Observation>, Vec<Failure>> {
    let mut observations = Vec::with_capacity(results.len());
    let mut errors = Vec::new();
    for result in results {
        match result {
            Ok(observation) => observations.push(observation),
            Err(error) => errors.push(Failure::from(&error)),
        }
    }
    if errors.is_empty() { Ok(observations) } else { Err(errors) }
}

fn conflicts(plans: &[Plan]) -> Vec<Failure> {
    let of_plan = |plan: &Plan| {
        let failure = |conflict: &plimsoll_registry::Conflict| {
            let message = format!("cannot tag {}: {conflict}", plan.repository);
            Failure {
                message,
                remedy: Some(conflict.remedy().to_owned()),
                exit_code: ExitCode::Conflict,
            }
        };
        plan.conflicts.iter().map(failure).collect::<Vec<_>>()
    };
    plans.iter().flat_map(of_plan).collect()
}

/// Applies one plan after the other and stops at the first that fails: every image has a report.
async fn apply(
    release: &Release,
    targets: &[Target<'_>],
    observations: Vec<Observation>,
    plans: &[Plan],
) -> (Vec<Report>, Vec<Failure>) {
    let mut reports = Vec::with_capacity(plans.len());
    let mut error = None;
    for ((target, observation), plan) in targets.iter().zip(observations).zip(plans) {
        if error.is_some() {
            reports.push(Report::of(plan));
            continue;
        }
        let applied = target.apply(release, observation, plan).await;
        reports.push(applied.report);
        error = applied.error;
    }
    let Some(error) = error else { return (reports, Vec::new()) };
    let mut failure = Failure::from(&error);
    if reports.iter().any(has_changes) {
        failure.exit_code = ExitCode::Partial;
    }
    (reports, vec![failure])
}

/// Whether a tag is not what it was, or may not be.
fn has_changes(report: &Report) -> bool {
    report.tags.iter().any(|tag| match &tag.outcome {
        Outcome::Created | Outcome::Moved | Outcome::Stranded { .. } => true,
        Outcome::Failed { .. } => tag.now != tag.before,
        _ => false,
    })
}

fn printed(
    options: &OutputArgs,
    plans: Option<&[Plan]>,
    reports: Option<&[Report]>,
    errors: &[Failure],
) -> Output {
    let stdout = match options.output {
        Format::Json => crate::output::json(&Json { schema: SCHEMA, plans, reports, errors }),
        Format::Text if options.quiet => String::new(),
        // What would have been done is beside the point of a conflict.
        Format::Text if plans.is_some() && !errors.is_empty() => String::new(),
        Format::Text => {
            let plans = plans.unwrap_or_default().iter().map(text::plan);
            plans.chain(reports.unwrap_or_default().iter().map(text::report)).collect()
        }
    };
    let stderr = errors.iter().map(Failure::text).collect();
    let code = errors.first().map_or(ExitCode::Success, |error| error.exit_code);
    Output { stdout, stderr, code }
}

//! `ocitag apply`: does what a plan file says, if the world is still the one it was made for.

use plimsoll_registry::{Plan, Reference, Selector};

use crate::args::ApplyArgs;
use crate::batch::Batch;
use crate::console::Console;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::plan_file::PlanFile;
use crate::results::Results;

pub(crate) async fn run(args: &ApplyArgs, console: &Console) -> Result<Output, Failure> {
    let file = PlanFile::read(&args.file)?;
    let mut images = Vec::with_capacity(file.images.len());
    for planned in &file.images {
        let reference: Reference =
            planned.image.parse().map_err(|error| Failure::of(&error, ExitCode::Usage))?;
        // The image that was planned, whatever its tag points at by now.
        let source = Selector::Digest(planned.plan.source.digest.clone());
        images.push((reference, source, planned.release.clone()));
    }
    let batch = Batch::open(&args.registry, images, console)?;
    let planned = match batch.plan().await {
        Ok(planned) => planned,
        Err(results) if results.plans.is_empty() => return Ok(results.printed(&args.output)),
        // A conflict that was not there when it was planned is told as what changed.
        Err(mut results) => {
            let drifts = drifts(&file, &results.plans);
            if !drifts.is_empty() {
                results.errors = drifts;
            }
            return Ok(results.printed(&args.output));
        }
    };
    let now: Vec<_> = planned.iter().map(|planned| planned.plan.clone()).collect();
    let errors = drifts(&file, &now);
    let results = match errors.is_empty() {
        true => batch.apply(planned).await,
        false => Results::planned(now, errors),
    };
    Ok(results.printed(&args.output))
}

fn drifts(file: &PlanFile, now: &[Plan]) -> Vec<Failure> {
    let pairs = file.images.iter().map(|image| &image.plan).zip(now);
    pairs.filter_map(|(then, now)| drift(then, now)).collect()
}

/// Every precondition at once: planned again, the plan must be the same. Where there is nothing
/// left to do it was applied before, which is as good.
fn drift(then: &Plan, now: &Plan) -> Option<Failure> {
    if now == then || now.is_empty() {
        return None;
    }
    let conflicts = now.conflicts.iter().map(ToString::to_string);
    let steps = now.steps.iter().filter(|step| !then.steps.contains(step));
    let steps = steps.map(|step| match step.previous.digest() {
        Some(digest) => format!("{} is at {}", step.tag, digest.short()),
        None => format!("{} is absent", step.tag),
    });
    let left = then.steps.iter().filter(|step| now.steps.iter().all(|own| own.tag != step.tag));
    let left = left.map(|step| format!("{} is not to be moved any more", step.tag));
    let changes: Vec<_> = conflicts.chain(steps).chain(left).collect();
    let message = format!(
        "{} is not what it was when the plan was made: {}",
        then.repository,
        changes.join("; ")
    );
    Some(Failure {
        message,
        remedy: Some("plan again with ocitag plan, and look at what it says".to_owned()),
        exit_code: ExitCode::Conflict,
    })
}

//! `ocitag dcd` for real: every image planned, then every image written.

use std::collections::BTreeSet;

use clap::Parser;
use plimsoll_registry::{
    AliasPolicy, Breadth, Copier, CopyOptions, Precision, Reference, Release, Selector, Tag,
    VersionTag,
};

use super::{Dcd, DcdCommand, DcdImage, HELP};
use crate::args::{OutputArgs, RegistryArgs};
use crate::batch::{Batch, Planned};
use crate::destination::Destinations;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::promote::{Promotion, Work, carry_out};

/// How registries are reached when nothing is said of that: docker-ci-deploy has no options for
/// it, so what `OCITAG_USERNAME` and Docker's configuration say goes.
#[derive(Debug, Parser)]
struct Unsaid {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a command line of docker-ci-deploy.
pub(crate) async fn run(args: &[String]) -> Result<Output, Failure> {
    let dcd = match Dcd::parse(args) {
        Ok(DcdCommand::Run(dcd)) => dcd,
        Ok(DcdCommand::Help) => {
            let stdout = HELP.to_owned();
            return Ok(Output { stdout, stderr: String::new(), code: ExitCode::Success });
        }
        Err(error) => return Err(Failure::of(&error, ExitCode::Usage)),
    };
    let warnings: String =
        dcd.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    let mut output = if dcd.dry_run {
        let stdout = dcd.lines().map(|line| format!("{line}\n")).collect();
        Output { stdout, stderr: String::new(), code: ExitCode::Success }
    } else {
        write(&dcd).await?
    };
    output.stderr.insert_str(0, &warnings);
    Ok(output)
}

/// Tags the images that stay in their repositories, then copies the others.
async fn write(dcd: &Dcd) -> Result<Output, Failure> {
    let unsaid = Unsaid::parse_from(["ocitag"]);
    let stays = |image: &&DcdImage| image.destination().location() == image.source.location();
    let (stay, go): (Vec<&DcdImage>, Vec<&DcdImage>) = dcd.images.iter().partition(stays);
    let images = stay.iter().map(|image| (image.source.clone(), image.selector(), image.release()));
    let batch = Batch::open(&unsaid.registry, images.collect())?;
    let planned = match batch.plan().await {
        Ok(planned) => planned,
        Err(errors) => {
            let results = output::Results { errors, ..output::Results::default() };
            return Ok(results.printed(&unsaid.output));
        }
    };
    let errors: Vec<_> = planned.iter().flat_map(Planned::conflicts).collect();
    if !errors.is_empty() {
        let results = output::Results { errors, ..output::Results::plans(planned) };
        return Ok(results.printed(&unsaid.output));
    }
    // Everything that is to be copied is looked at before anything is written.
    for image in &go {
        let looked = copy(image, &unsaid, true).await?;
        if looked.code != ExitCode::Success {
            return Ok(looked);
        }
    }
    let (reports, errors) = batch.apply(planned).await;
    let results = output::Results { reports: Some(reports), errors, ..output::Results::default() };
    let mut all = results.printed(&unsaid.output);
    for image in &go {
        if all.code != ExitCode::Success {
            break;
        }
        let copied = copy(image, &unsaid, false).await?;
        all.stdout += &copied.stdout;
        all.stderr += &copied.stderr;
        all.code = match copied.code {
            // Images before this one have been written.
            code if code != ExitCode::Success && !all.stdout.is_empty() => ExitCode::Partial,
            code => code,
        };
    }
    Ok(all)
}

async fn copy(image: &DcdImage, unsaid: &Unsaid, dry_run: bool) -> Result<Output, Failure> {
    let promotion = Promotion {
        source: image.source.clone(),
        selector: Some(image.selector()),
        destinations: vec![image.destination().clone()],
        release: Some(image.release()),
    };
    let references = [image.source.clone(), image.destination().clone()];
    let mut opener = Destinations::new(&unsaid.registry, &references)?;
    let (source, stores) = opener.open_copy(&promotion.source, &promotion.destinations)?;
    let goals = promotion.goals(&stores);
    let name = promotion.source.location().to_string();
    let concurrency = unsaid.registry.concurrency.get();
    let copier = Copier::new(&*source, name, CopyOptions::default()).with_concurrency(concurrency);
    let work = Work { promotion: &promotion, copier: &copier, goals: &goals, concurrency, dry_run };
    Ok(carry_out(&work, &image.selector()).await.printed(&unsaid.output))
}

impl DcdImage {
    /// The one repository that it goes to: there is one `--registry` for all targets.
    fn destination(&self) -> &Reference {
        &self.targets[0].reference
    }

    /// What is tagged; without tag and digest that is `latest`, as everywhere.
    fn selector(&self) -> Selector {
        self.source.selector().unwrap_or_else(|| Selector::Tag(Tag::latest()))
    }

    /// The targets as a release: exact tags are immutable, aliases only move forward, and what
    /// is no version goes where it is told to.
    fn release(&self) -> Release {
        let mut versions: Vec<VersionTag> = Vec::new();
        let mut only: BTreeSet<Tag> = BTreeSet::new();
        let mut plain: Vec<Tag> = Vec::new();
        for target in &self.targets {
            let tag = target.reference.tag().cloned().unwrap_or_else(Tag::latest);
            match &target.series {
                Some(series) => {
                    if !versions.contains(&series.version) {
                        versions.push(series.version.clone());
                    }
                    only.insert(if series.breadth == Breadth::Exact {
                        series.version.tag().clone()
                    } else {
                        tag
                    });
                }
                None => plain.push(tag),
            }
        }
        let policy = AliasPolicy { precision: Precision::Major, zero_major: true, latest: true };
        Release { only: Some(only), plain, ..Release::new(versions, policy) }
    }
}

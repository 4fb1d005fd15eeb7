//! `ocitag dcd` for real: every image planned, then every image written.

use std::collections::BTreeSet;

use clap::Parser;
use plimsoll_registry::{
    AliasPolicy, Breadth, CopyOptions, Precision, Reference, Release, Selector, Tag, VersionTag,
};

use super::{Dcd, DcdCommand, DcdImage, HELP};
use crate::args::{OutputArgs, RegistryArgs};
use crate::batch::Batch;
use crate::console::Console;
use crate::destination::Destinations;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::promote::{Promotion, Work};
use crate::results::{self, Results};

/// How registries are reached when nothing is said of that: docker-ci-deploy has no options for
/// it, so what `OCITAG_USERNAME` and Docker's configuration say goes.
#[derive(Debug, Parser)]
struct Unsaid {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a command line of docker-ci-deploy and prints what it made.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let mut unsaid = Unsaid::parse_from(["ocitag"]);
    let command = Dcd::parse(args).map_err(|error| Failure::of(&error, ExitCode::Usage));
    if let Ok(DcdCommand::Run(dcd)) = &command {
        unsaid.output.verbose = u8::from(dcd.verbose);
    }
    let Unsaid { registry, output } = unsaid;
    crate::run(&output, async |console| {
        let dcd = match command? {
            DcdCommand::Run(dcd) => dcd,
            DcdCommand::Help => return Ok(Output::success(HELP.to_owned())),
        };
        let warnings = dcd.warnings.iter().cloned();
        console.tell_all(warnings.map(|message| Event::Warning { message }));
        if dcd.dry_run {
            return Ok(Output::success(dcd.lines().map(|line| format!("{line}\n")).collect()));
        }
        let results = write(&dcd, &registry, console).await?;
        Ok(results::printed(&results, &output))
    })
}

/// Tags the images that stay in their repositories, then copies the others. Everything is
/// looked at before anything is written.
async fn write(
    dcd: &Dcd,
    registry: &RegistryArgs,
    console: &Console,
) -> Result<Vec<Results>, Failure> {
    let stays = |image: &&DcdImage| image.destination().location() == image.source.location();
    let (stay, go): (Vec<&DcdImage>, Vec<&DcdImage>) = dcd.images.iter().partition(stays);
    let images = stay.iter().map(|image| (image.source.clone(), image.selector(), image.release()));
    let batch = Batch::open(registry, images.collect(), console)?;
    let promotions: Vec<Promotion> = go.iter().map(|image| image.promotion()).collect();
    let mut opened = Vec::with_capacity(promotions.len());
    for promotion in &promotions {
        let mut opener = Destinations::new(registry, &promotion.references())?;
        opened.push(opener.open_copy(&promotion.source, &promotion.destinations)?);
    }
    let planned = match batch.plan().await {
        Ok(planned) => planned,
        Err(results) => return Ok(vec![results]),
    };
    let mut works = Vec::with_capacity(promotions.len());
    for (promotion, (ends, image)) in promotions.iter().zip(opened.iter().zip(&go)) {
        let options = CopyOptions::default();
        let work = Work::new(promotion, ends, options, registry.concurrency.get(), console);
        match work.prepare(&image.selector()).await {
            Ok(prepared) => works.push((work, prepared)),
            Err(results) => return Ok(vec![results]),
        }
    }
    let mut all = vec![batch.apply(planned).await];
    for (work, prepared) in works {
        if all.iter().any(|results| !results.errors.is_empty()) {
            break;
        }
        all.push(work.carry_out(prepared).await);
    }
    Ok(all)
}

impl DcdImage {
    fn promotion(&self) -> Promotion {
        Promotion {
            source: self.source.clone(),
            selector: Some(self.selector()),
            destinations: vec![self.destination().clone()],
            release: Some(self.release()),
        }
    }

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

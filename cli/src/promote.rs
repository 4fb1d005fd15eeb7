//! `ocitag promote`: copies an image to other repositories, and tags it there.

use std::collections::BTreeMap;

use plimsoll_registry::{
    Copier, CopyOptions, CopyPlan, CopySource, Destination, DockerArchive, Goal, ImageTree,
    Location, OciArchive, Reference, Release, Report, Selector, Target, plan, plan_copy,
};

use crate::args::PromoteArgs;
use crate::batch::{Planned, plans};
use crate::console::Console;
use crate::destination::Destinations;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, conflicts};
use crate::narrator::Narrator;
use crate::output::Output;
use crate::platforms;
use crate::results::Results;

/// What the command line asks for.
pub(crate) struct Promotion {
    pub(crate) source: Reference,
    /// None when it is the only image of an archive.
    pub(crate) selector: Option<Selector>,
    pub(crate) destinations: Vec<Reference>,
    /// Without one, every destination gets the one tag that it names.
    pub(crate) release: Option<Release>,
}

/// A promotion with everything opened.
pub(crate) struct Work<'w> {
    promotion: &'w Promotion,
    copier: Copier<'w>,
    goals: Vec<Goal<'w>>,
    concurrency: usize,
    console: Console,
    narrator: Narrator,
}

/// What is to be done, and nothing that forbids it.
pub(crate) struct Prepared {
    copy: CopyPlan,
    /// One for each goal; none when there is no release.
    releasing: Vec<Planned>,
}

pub(crate) async fn run(args: &PromoteArgs, console: &Console) -> Result<Output, Failure> {
    let promotion = Promotion::parse(args)?;
    let options = options(args)?;
    let mut opener = Destinations::new(&args.registry, &promotion.references())?;
    let selector = match &promotion.selector {
        Some(selector) => selector.clone(),
        None => only_image(&promotion.source).await?,
    };
    let ends = opener.open_copy(&promotion.source, &promotion.destinations)?;
    let name = promotion.source.location().to_string();
    platforms::check(&*ends.0, &name, &selector, &args.conduct.require_platforms).await?;
    let work = Work::new(&promotion, &ends, options, args.registry.concurrency.get(), console);
    let results = match work.prepare(&selector).await {
        Ok(prepared) if args.conduct.dry_run => prepared.into_results(Vec::new()),
        Ok(prepared) => work.carry_out(prepared).await,
        Err(results) => results,
    };
    Ok(results.printed(&args.output))
}

impl<'w> Work<'w> {
    pub(crate) fn new(
        promotion: &'w Promotion,
        (source, stores): &'w Ends,
        options: CopyOptions,
        concurrency: usize,
        console: &Console,
    ) -> Self {
        let narrator = Narrator::new(console);
        let copier = Copier::new(&**source, promotion.source.location().to_string(), options)
            .with_concurrency(concurrency)
            .with_progress(narrator.clone());
        let goals = promotion.goals(stores);
        Self { promotion, copier, goals, concurrency, console: console.clone(), narrator }
    }

    /// Looks at everything and plans it. If anything fails or forbids it, what there is to
    /// report instead.
    pub(crate) async fn prepare(&self, selector: &Selector) -> Result<Prepared, Results> {
        let repository = self.promotion.source.location().to_string();
        self.console.tell(&Event::Looking { repository });
        let tree = self.copier.read_tree(selector).await;
        let tree = tree.map_err(|error| Results::failed(vec![Failure::from(&error)]))?;
        let releasing = self.release_plans(&tree).await.map_err(Results::failed)?;
        let mut goals = self.goals.clone();
        for (goal, planned) in goals.iter_mut().zip(&releasing) {
            goal.seen.clone_from(&planned.observation.seen);
        }
        let sights = self.copier.look(&tree, &goals).await;
        let (states, unseen): (Vec<_>, Vec<_>) =
            sights.into_iter().map(|sight| (sight.state, sight.error)).unzip();
        let unseen: Vec<_> = unseen.into_iter().flatten().map(Failure::from).collect();
        if !unseen.is_empty() {
            return Err(Results::failed(unseen));
        }
        let prepared =
            Prepared { copy: plan_copy(&tree, self.copier.options(), &states), releasing };
        self.narrator.planned(&prepared.copy);
        let plans = prepared.releasing.iter().map(|planned| &planned.plan);
        self.console.tell_all(plans.flat_map(Event::of_plan));
        let errors = prepared.conflicts();
        if errors.is_empty() {
            return Ok(prepared);
        }
        Err(prepared.into_results(errors))
    }

    /// Copies, and then tags what arrived whole.
    pub(crate) async fn carry_out(&self, prepared: Prepared) -> Results {
        let Prepared { copy, releasing } = prepared;
        let copied = self.copier.apply(&copy, &self.goals).await;
        self.narrator.copied(&copied.report);
        let mut results = Results::failed(copied.failures.iter().map(Failure::from).collect());
        if let Some(release) = &self.promotion.release {
            for (goal, Planned { observation, plan }) in self.goals.iter().zip(releasing) {
                let of_goal = copied.report.destinations.iter().find(|own| own.name == goal.name);
                if !of_goal.is_some_and(|own| own.complete) {
                    // Nothing is tagged that is not all there.
                    results.reports.push(Report::of(&plan));
                    continue;
                }
                let told = self.console.tags_of(&goal.name);
                let applied =
                    self.target(goal).apply_told(release, observation, &plan, &told).await;
                results.errors.extend(applied.error.as_ref().map(Failure::from));
                results.reports.push(applied.report);
            }
        }
        results.copy = Some(copied.report);
        results
    }

    /// What the tags of every destination are to become; nothing when there is no release.
    async fn release_plans(&self, tree: &ImageTree) -> Result<Vec<Planned>, Vec<Failure>> {
        let Some(release) = &self.promotion.release else { return Ok(Vec::new()) };
        let mut releasing = Vec::with_capacity(self.goals.len());
        let mut errors = Vec::new();
        for goal in &self.goals {
            self.console.tell(&Event::Looking { repository: goal.name.clone() });
            match self.target(goal).observe_for(release, tree.root.clone()).await {
                Ok(observation) => {
                    let plan = plan(release, &observation);
                    releasing.push(Planned { observation, plan });
                }
                Err(error) => errors.push(Failure::from(&error)),
            }
        }
        if errors.is_empty() { Ok(releasing) } else { Err(errors) }
    }

    fn target<'t>(&self, goal: &'t Goal<'_>) -> Target<'t> {
        Target { store: goal.store, repository: &goal.name, concurrency: self.concurrency }
    }
}

impl Prepared {
    fn conflicts(&self) -> Vec<Failure> {
        let of_copy = self.copy.destinations.iter().flat_map(|destination| &destination.conflicts);
        let of_plans = self.releasing.iter().flat_map(|planned| conflicts(&planned.plan));
        of_copy.map(Failure::from).chain(of_plans).collect()
    }

    /// What would be done and has not been, perhaps because of `errors`.
    fn into_results(self, errors: Vec<Failure>) -> Results {
        let Self { copy, releasing } = self;
        let mut results = Results::planned(plans(releasing), errors);
        results.copy_plan = Some(copy);
        results
    }
}

impl Promotion {
    fn parse(args: &PromoteArgs) -> Result<Self, Failure> {
        let reference = |text: &String| -> Result<Reference, Failure> {
            text.parse().map_err(|error: plimsoll_registry::ReferenceError| {
                Failure::of(&error, ExitCode::Usage)
            })
        };
        let source = reference(&args.source)?;
        let release =
            args.semver.as_deref().map(|semver| args.shape.release(semver)).transpose()?;
        let release = release.map(|release| args.conduct.apply_to(release));
        let is_archive =
            matches!(source.location(), Location::OciArchive(_) | Location::DockerArchive(_));
        let exact = release.as_ref().filter(|_| !is_archive);
        let exact = exact.map(|release| Selector::Tag(release.versions[0].tag().clone()));
        let selector = source.selector().or(exact);
        if selector.is_none() && !is_archive {
            return Err(Failure::usage(format!("{source} names no image"))
                .with_remedy("write IMAGE:TAG or IMAGE@DIGEST, or give --semver"));
        }
        let mut destinations: Vec<Reference> = Vec::with_capacity(args.destinations.len());
        for text in &args.destinations {
            let destination = reference(text)?;
            if release.is_some() && destination.selector().is_some() {
                return Err(Failure::usage(format!(
                    "{destination}: --semver says which tags the destination gets"
                ))
                .with_remedy("leave out the tag, or --semver"));
            }
            if is_same_place(destination.location(), source.location()) {
                return Err(Failure::usage(format!("{destination} is where the image is"))
                    .with_remedy("use ocitag --semver to tag it there"));
            }
            let same = |own: &Reference| is_same_place(own.location(), destination.location());
            if destinations.iter().any(same) {
                return Err(Failure::usage(format!("{} is given twice", destination.location()))
                    .with_remedy("name each destination once; --semver gives it several tags"));
            }
            if release.is_none() && destination.tag().or(source.tag()).is_none() {
                return Err(Failure::usage(format!("{destination}: under which tag?"))
                    .with_remedy("write DST:TAG, or give --semver"));
            }
            destinations.push(destination);
        }
        Ok(Self { source, selector, destinations, release })
    }

    /// Everything that is read or written.
    pub(crate) fn references(&self) -> Vec<Reference> {
        self.destinations.iter().chain([&self.source]).cloned().collect()
    }

    fn goals<'s>(&self, stores: &'s [Box<dyn Destination>]) -> Vec<Goal<'s>> {
        let goals = self.destinations.iter().zip(stores).map(|(destination, store)| {
            let tag = destination.tag().or(self.source.tag()).cloned();
            Goal {
                store: &**store,
                name: destination.location().to_string(),
                mount_from: mount_from(&self.source, destination),
                tags: if self.release.is_some() { Vec::new() } else { tag.into_iter().collect() },
                seen: BTreeMap::new(),
            }
        });
        goals.collect()
    }
}

/// Whether both are one repository, directory or file, however they are written.
fn is_same_place(one: &Location, other: &Location) -> bool {
    let path = |location: &Location| match location {
        Location::Layout(path) | Location::OciArchive(path) | Location::DockerArchive(path) => {
            // What is not there yet has no other name than its own.
            path.canonicalize().or_else(|_| std::path::absolute(path)).ok()
        }
        _ => None,
    };
    match (path(one), path(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The image of an archive that has one.
async fn only_image(source: &Reference) -> Result<Selector, Failure> {
    Ok(match source.location() {
        Location::OciArchive(path) => OciArchive::open(path)?.only_image().await?,
        Location::DockerArchive(path) => DockerArchive::open(path)?.only_image().await?,
        _ => return Err(Failure::usage(format!("{source} names no image"))),
    })
}

/// The repository that blobs can be mounted from: the source's, on the same registry.
fn mount_from(source: &Reference, destination: &Reference) -> Option<String> {
    match (source.location(), destination.location()) {
        (Location::Registry(from), Location::Registry(to)) if from.host() == to.host() => {
            Some(from.path().to_owned())
        }
        _ => None,
    }
}

fn options(args: &PromoteArgs) -> Result<CopyOptions, Failure> {
    let platform = args.platform.as_deref().map(str::parse).transpose();
    let platform = platform
        .map_err(|error: plimsoll_registry::PlatformError| Failure::usage(error.to_string()))?;
    Ok(CopyOptions {
        platform,
        include_foreign: args.include_foreign,
        referrers: !args.no_referrers,
        force: args.conduct.force,
        guard: args.conduct.guard(),
        ..CopyOptions::default()
    })
}

/// The two ends of a copy, opened.
pub(crate) type Ends = (Box<dyn CopySource>, Vec<Box<dyn Destination>>);

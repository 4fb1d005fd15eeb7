//! `ocitag promote`: copies an image to other repositories, and tags it there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use plimsoll_registry::{
    BlobHow, Copier, CopyFailure, CopyOptions, CopyPlan, CopyReport, CopySource, Destination,
    DestinationReport, DockerArchive, Goal, Guard, ImageTree, Location, ManifestHow, Observation,
    OciArchive, Outcome, Plan, Reference, Release, Report, SCHEMA, Selector, TagOutcome, Target,
    Total, plan, plan_copy,
};
use serde::Serialize;

use crate::args::{Format, OutputArgs, PromoteArgs};
use crate::destination::Destinations;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Output, json};
use crate::text;

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
    pub(crate) promotion: &'w Promotion,
    pub(crate) copier: &'w Copier<'w>,
    pub(crate) goals: &'w [Goal<'w>],
    pub(crate) concurrency: usize,
    pub(crate) dry_run: bool,
}

/// What came of it.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_plan: Option<CopyPlan>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<Report>,
    errors: Vec<Failure>,
}

/// One destination whose tags are planned.
struct Releasing {
    observation: Observation,
    plan: Plan,
}

pub(crate) async fn run(args: &PromoteArgs) -> Result<Output, Failure> {
    let promotion = Promotion::parse(args)?;
    let references: Vec<Reference> =
        promotion.destinations.iter().chain([&promotion.source]).cloned().collect();
    let mut opener = Destinations::new(&args.registry, &references)?;
    let selector = match &promotion.selector {
        Some(selector) => selector.clone(),
        None => only_image(&promotion.source).await?,
    };
    let (source, stores) = opener.open_copy(&promotion.source, &promotion.destinations)?;
    let goals: Vec<Goal<'_>> = promotion.goals(&stores);
    let copier = Copier::new(&*source, promotion.source.location().to_string(), options(args)?)
        .with_concurrency(args.registry.concurrency.get());
    let work = Work {
        promotion: &promotion,
        copier: &copier,
        goals: &goals,
        concurrency: args.registry.concurrency.get(),
        dry_run: args.dry_run,
    };
    let results = carry_out(&work, &selector).await;
    Ok(results.printed(&args.output))
}

/// Plans everything, and then does it.
pub(crate) async fn carry_out(work: &Work<'_>, selector: &Selector) -> Results {
    let Work { promotion, copier, goals, concurrency, dry_run } = *work;
    let mut results = Results { schema: SCHEMA, ..Results::default() };
    let tree = match copier.read_tree(selector).await {
        Ok(tree) => tree,
        Err(error) => {
            let failure = Failure::of(&error, error.blame().into());
            results.errors.push(match error.remedy() {
                Some(remedy) => failure.with_remedy(remedy),
                None => failure,
            });
            return results;
        }
    };
    let releasing = match release_plans(promotion, &tree, goals, concurrency).await {
        Ok(releasing) => releasing,
        Err(errors) => return Results { errors, ..results },
    };
    let mut goals = goals.to_vec();
    for (goal, releasing) in goals.iter_mut().zip(&releasing) {
        goal.seen.clone_from(&releasing.observation.seen);
    }
    let sights = copier.look(&tree, &goals).await;
    let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
    let copy_plan = plan_copy(&tree, copier.options(), &states);
    results.plans = releasing.iter().map(|releasing| releasing.plan.clone()).collect();
    results.errors = conflicts(&copy_plan, &results.plans);
    if dry_run || !results.errors.is_empty() {
        results.copy_plan = Some(copy_plan);
        return results;
    }
    let copied = copier.apply(&copy_plan, &goals).await;
    results.plans.clear();
    results.errors = copied.failures.iter().map(of_copy).collect();
    if let Some(release) = &promotion.release {
        for (goal, Releasing { observation, plan }) in goals.iter().zip(releasing) {
            let of_goal = copied.report.destinations.iter().find(|own| own.name == goal.name);
            if !of_goal.is_some_and(|own| own.complete) {
                // Nothing is tagged that is not all there.
                results.reports.push(Report::of(&plan));
                continue;
            }
            let target = Target { store: goal.store, repository: &goal.name, concurrency };
            let applied = target.apply(release, observation, &plan).await;
            results.errors.extend(applied.error.as_ref().map(Failure::from));
            results.reports.push(applied.report);
        }
    }
    results.copy = Some(copied.report);
    results
}

/// What the tags of every destination are to become; nothing when there is no release.
async fn release_plans(
    promotion: &Promotion,
    tree: &ImageTree,
    goals: &[Goal<'_>],
    concurrency: usize,
) -> Result<Vec<Releasing>, Vec<Failure>> {
    let Some(release) = &promotion.release else { return Ok(Vec::new()) };
    let mut releasing = Vec::with_capacity(goals.len());
    let mut errors = Vec::new();
    for goal in goals {
        let target = Target { store: goal.store, repository: &goal.name, concurrency };
        match target.observe_for(release, tree.root.clone()).await {
            Ok(observation) => {
                let plan = plan(release, &observation);
                releasing.push(Releasing { observation, plan });
            }
            Err(error) => errors.push(Failure::from(&error)),
        }
    }
    if errors.is_empty() { Ok(releasing) } else { Err(errors) }
}

impl Promotion {
    fn parse(args: &PromoteArgs) -> Result<Self, Failure> {
        let reference = |text: &String| -> Result<Reference, Failure> {
            text.parse().map_err(|error: plimsoll_registry::ReferenceError| {
                Failure::of(&error, ExitCode::Usage)
            })
        };
        let source = reference(&args.source)?;
        let mut release = args.semver.as_deref().map(|semver| args.shape.release(semver));
        if let Some(Ok(release)) = &mut release {
            release.force = args.force;
            release.guard = guard(args);
        }
        let release = release.transpose()?;
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
            if destination.location() == source.location() {
                return Err(Failure::usage(format!("{destination} is where the image is"))
                    .with_remedy("use ocitag --semver to tag it there"));
            }
            if destinations.iter().any(|own| own.location() == destination.location()) {
                return Err(Failure::usage(format!("{} is given twice", destination.location())));
            }
            if release.is_none() && destination.tag().or(source.tag()).is_none() {
                return Err(Failure::usage(format!("{destination}: under which tag?"))
                    .with_remedy("write DST:TAG, or give --semver"));
            }
            destinations.push(destination);
        }
        Ok(Self { source, selector, destinations, release })
    }

    pub(crate) fn goals<'s>(&self, stores: &'s [Box<dyn Destination>]) -> Vec<Goal<'s>> {
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

fn guard(args: &PromoteArgs) -> Guard {
    if args.no_guard { Guard::Off } else { Guard::Full }
}

fn options(args: &PromoteArgs) -> Result<CopyOptions, Failure> {
    let platform = args.platform.as_deref().map(str::parse).transpose();
    let platform = platform
        .map_err(|error: plimsoll_registry::PlatformError| Failure::usage(error.to_string()))?;
    Ok(CopyOptions {
        platform,
        include_foreign: args.include_foreign,
        referrers: !args.no_referrers,
        force: args.force,
        guard: guard(args),
        ..CopyOptions::default()
    })
}

fn conflicts(copy: &CopyPlan, plans: &[Plan]) -> Vec<Failure> {
    let of_copy = copy.destinations.iter().flat_map(|destination| &destination.conflicts);
    let of_copy = of_copy
        .map(|conflict| Failure::of(conflict, ExitCode::Conflict).with_remedy(conflict.remedy()));
    let of_plans = plans.iter().flat_map(|plan| {
        plan.conflicts.iter().map(|conflict| Failure {
            message: format!("cannot tag {}: {conflict}", plan.repository),
            remedy: Some(conflict.remedy().to_owned()),
            exit_code: ExitCode::Conflict,
        })
    });
    of_copy.chain(of_plans).collect()
}

fn of_copy(failure: &CopyFailure) -> Failure {
    let own = Failure::of(failure, failure.blame().into());
    match failure.remedy() {
        Some(remedy) => own.with_remedy(remedy),
        None => own,
    }
}

impl Results {
    pub(crate) fn printed(&self, options: &OutputArgs) -> Output {
        let stdout = match options.output {
            Format::Json => json(self),
            Format::Text if options.quiet => String::new(),
            // What would have been done is beside the point of a conflict.
            Format::Text if self.copy.is_none() && !self.errors.is_empty() => String::new(),
            Format::Text => self.text(),
        };
        let stderr = self.errors.iter().map(Failure::text).collect();
        let code = match self.errors.first() {
            None => ExitCode::Success,
            Some(_) if self.has_changes() => ExitCode::Partial,
            Some(error) => error.exit_code,
        };
        Output { stdout, stderr, code }
    }

    /// Whether a tag was written, or may have been. Blobs without one are no change.
    fn has_changes(&self) -> bool {
        let copied = self.copy.iter().flat_map(|copy| &copy.destinations);
        let mut tags = copied.flat_map(|destination| &destination.tags);
        tags.any(|tag| tag.outcome == TagOutcome::Written)
            || self.reports.iter().flat_map(|report| &report.tags).any(|tag| {
                matches!(tag.outcome, Outcome::Created | Outcome::Moved | Outcome::Stranded { .. })
            })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Infallible, all of it: writing to a String.
        if let Some(plan) = &self.copy_plan {
            for destination in &plan.destinations {
                let blobs = destination.blobs.iter();
                let there = blobs.filter(|blob| matches!(blob.how, BlobHow::Skip { .. })).count();
                let manifests = destination.manifests.iter();
                let new =
                    manifests.filter(|it| !matches!(it.how, ManifestHow::Skip { .. })).count();
                let _ = writeln!(text, "{}", destination.name);
                let (copy, mount) = (amount(destination.to_copy), amount(destination.to_mount));
                let _ = writeln!(
                    text,
                    "  would copy {copy}, mount {mount}, find {there} there, write {new} manifests"
                );
                for step in &destination.tags {
                    let _ = writeln!(text, "  {}  would be written", step.tag);
                }
            }
        }
        for destination in self.copy.iter().flat_map(|copy| &copy.destinations) {
            text += &of_destination(destination);
            let released = self.reports.iter().find(|own| own.repository == destination.name);
            let released = released.map(text::report).unwrap_or_default();
            // Its first line names the destination once more.
            text.extend(released.lines().skip(1).map(|line| format!("{line}\n")));
        }
        text.extend(self.plans.iter().map(text::plan));
        text
    }
}

fn of_destination(destination: &DestinationReport) -> String {
    let mut text = format!("{}\n", destination.name);
    let (copied, mounted) = (destination.copied(), destination.mounted());
    let there = destination.blobs.len() as u64 - copied.count - mounted.count;
    let there = if destination.complete { format!(", {there} there") } else { String::new() };
    let _ = writeln!(text, "  copied {}, mounted {}{there}", amount(copied), amount(mounted));
    for tag in &destination.tags {
        let fate = match &tag.outcome {
            TagOutcome::Written => "written".to_owned(),
            TagOutcome::Kept { .. } => "kept".to_owned(),
            TagOutcome::Failed { error } => format!("FAILED: {error}"),
            _ => "not tried".to_owned(),
        };
        let digest = tag.target.as_ref().or(tag.before.digest());
        let digest = digest.map(|digest| format!("{}  ", digest.short())).unwrap_or_default();
        let _ = writeln!(text, "  {}  {digest}{fate}", tag.tag);
    }
    text
}

/// `2 blobs (1234 bytes)`.
fn amount(total: Total) -> String {
    match total.count {
        0 => "0 blobs".to_owned(),
        1 => format!("1 blob ({} bytes)", total.bytes),
        count => format!("{count} blobs ({} bytes)", total.bytes),
    }
}

/// The two ends of a copy, opened.
pub(crate) type Ends = (Box<dyn CopySource>, Vec<Box<dyn Destination>>);

//! Batches: several images that are planned together before any of them is written.

use futures_util::future;
use plimsoll_registry::{
    Conflict, Observation, ObserveError, Outcome, Plan, Reference, Release, Report, Selector,
    Store, Target, plan,
};

use crate::args::RegistryArgs;
use crate::destination::Destinations;
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Images to release, each in a repository of its own.
pub(crate) struct Batch {
    images: Vec<Image>,
    concurrency: usize,
}

struct Image {
    /// As plans and reports name it.
    name: String,
    source: Selector,
    release: Release,
    store: Box<dyn Store>,
}

/// What was seen of one image, and what follows from it.
pub(crate) struct Planned {
    observation: Observation,
    pub(crate) plan: Plan,
}

impl Batch {
    /// Opens every repository before any is asked.
    pub(crate) fn open(
        args: &RegistryArgs,
        images: Vec<(Reference, Selector, Release)>,
    ) -> Result<Self, Failure> {
        let references: Vec<_> = images.iter().map(|(reference, ..)| reference.clone()).collect();
        let mut destinations = Destinations::new(args, &references)?;
        let open = |(reference, source, release): (Reference, Selector, Release)| {
            let store = destinations.open(&reference)?;
            Ok(Image { name: reference.location().to_string(), source, release, store })
        };
        let images = images.into_iter().map(open).collect::<Result<_, Failure>>()?;
        Ok(Self { images, concurrency: args.concurrency.get() })
    }

    /// Looks at every image and plans it; all that failed, if any did.
    pub(crate) async fn plan(&self) -> Result<Vec<Planned>, Vec<Failure>> {
        let looks = self.images.iter().map(|image| async {
            let observation = self.target(image).observe(&image.release, &image.source).await?;
            let plan = plan(&image.release, &observation);
            Ok::<_, ObserveError>(Planned { observation, plan })
        });
        let mut planned = Vec::with_capacity(self.images.len());
        let mut errors = Vec::new();
        for result in future::join_all(looks).await {
            match result {
                Ok(image) => planned.push(image),
                Err(error) => errors.push(Failure::from(&error)),
            }
        }
        if errors.is_empty() { Ok(planned) } else { Err(errors) }
    }

    /// Applies one plan after the other and stops at the first that fails: every image has a
    /// report all the same.
    pub(crate) async fn apply(&self, planned: Vec<Planned>) -> (Vec<Report>, Vec<Failure>) {
        let mut reports = Vec::with_capacity(planned.len());
        let mut error = None;
        for (image, Planned { observation, plan }) in self.images.iter().zip(planned) {
            if error.is_some() {
                reports.push(Report::of(&plan));
                continue;
            }
            let applied = self.target(image).apply(&image.release, observation, &plan).await;
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

    fn target<'b>(&'b self, image: &'b Image) -> Target<'b> {
        let Image { name, store, .. } = image;
        Target { store: &**store, repository: name, concurrency: self.concurrency }
    }
}

impl Planned {
    /// What forbids the plan.
    pub(crate) fn conflicts(&self) -> impl Iterator<Item = Failure> {
        let failure = |conflict: &Conflict| Failure {
            message: format!("cannot tag {}: {conflict}", self.plan.repository),
            remedy: Some(conflict.remedy().to_owned()),
            exit_code: ExitCode::Conflict,
        };
        self.plan.conflicts.iter().map(failure)
    }
}

/// Whether a tag is not what it was, or may not be.
fn has_changes(report: &Report) -> bool {
    report.tags.iter().any(|tag| match &tag.outcome {
        Outcome::Created | Outcome::Moved | Outcome::Stranded { .. } => true,
        Outcome::Failed { .. } => tag.now != tag.before,
        _ => false,
    })
}

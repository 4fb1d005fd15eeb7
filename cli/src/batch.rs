//! Batches: several images that are planned together before any of them is written.

use futures_util::future;
use plimsoll_registry::{
    CopySource, Observation, ObserveError, Plan, Platform, Reference, Release, Report, Selector,
    Target, plan,
};

use crate::args::RegistryArgs;
use crate::console::Console;
use crate::destination::Destinations;
use crate::event::Event;
use crate::failure::{Failure, conflicts};
use crate::platforms;
use crate::results::Results;

/// Images to release, each in a repository of its own.
pub(crate) struct Batch {
    images: Vec<Image>,
    concurrency: usize,
    console: Console,
}

struct Image {
    /// As plans and reports name it.
    name: String,
    source: Selector,
    release: Release,
    store: Box<dyn CopySource>,
}

/// What was seen of one repository, and what follows from it.
pub(crate) struct Planned {
    pub(crate) observation: Observation,
    pub(crate) plan: Plan,
}

impl Batch {
    /// Opens every repository before any is asked.
    pub(crate) fn open(
        args: &RegistryArgs,
        images: Vec<(Reference, Selector, Release)>,
        console: &Console,
    ) -> Result<Self, Failure> {
        let references: Vec<_> = images.iter().map(|(reference, ..)| reference.clone()).collect();
        let mut destinations = Destinations::new(args, &references)?;
        let open = |(reference, source, release): (Reference, Selector, Release)| {
            let store = destinations.open(&reference)?;
            Ok(Image { name: reference.location().to_string(), source, release, store })
        };
        let images = images.into_iter().map(open).collect::<Result<_, Failure>>()?;
        Ok(Self { images, concurrency: args.concurrency.get(), console: console.clone() })
    }

    /// Fails for every image that does not have all of `required`.
    pub(crate) async fn check_platforms(&self, required: &[Platform]) -> Result<(), Results> {
        let checks = self.images.iter().map(|Image { store, name, source, .. }| {
            platforms::check(&**store, name, source, required)
        });
        let errors: Vec<_> =
            future::join_all(checks).await.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() { Ok(()) } else { Err(Results::failed(errors)) }
    }

    /// Looks at every image and plans it. If any fails, or has a conflict, what there is to
    /// report instead.
    pub(crate) async fn plan(&self) -> Result<Vec<Planned>, Results> {
        let looks = self.images.iter().map(|image| async {
            self.console.tell(&Event::Looking { repository: image.name.clone() });
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
        if !errors.is_empty() {
            return Err(Results::failed(errors));
        }
        self.console.tell_all(planned.iter().flat_map(|image| Event::of_plan(&image.plan)));
        let errors: Vec<_> = planned.iter().flat_map(|image| conflicts(&image.plan)).collect();
        if errors.is_empty() { Ok(planned) } else { Err(Results::planned(plans(planned), errors)) }
    }

    /// Applies one plan after the other and stops at the first that fails: every image has a
    /// report all the same.
    pub(crate) async fn apply(&self, planned: Vec<Planned>) -> Results {
        let mut results = Results::default();
        for (image, Planned { observation, plan }) in self.images.iter().zip(planned) {
            if !results.errors.is_empty() {
                results.reports.push(Report::of(&plan));
                continue;
            }
            let told = self.console.tags_of(&image.name);
            let target = self.target(image);
            let applied = target.apply_told(&image.release, observation, &plan, &told).await;
            results.reports.push(applied.report);
            results.errors.extend(applied.error.as_ref().map(Failure::from));
        }
        results
    }

    fn target<'b>(&'b self, image: &'b Image) -> Target<'b> {
        let Image { name, store, .. } = image;
        Target { store: &**store, repository: name, concurrency: self.concurrency }
    }
}

/// The plans, without what was seen.
pub(crate) fn plans(planned: Vec<Planned>) -> Vec<Plan> {
    planned.into_iter().map(|planned| planned.plan).collect()
}

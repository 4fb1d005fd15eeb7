//! Observing: asking a store what a release needs to know, in as few requests as will do.

mod platforms;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::manifest::Descriptor;
use crate::observation::{Guard, Listing, Observation, Release, SCHEMA};
use crate::reference::Selector;
use crate::store::{Store, StoreError};
use crate::tag::Tag;

pub use platforms::platforms;

/// One repository as a release sees it.
#[derive(Clone, Copy)]
pub struct Target<'s> {
    /// Where its tags and manifests are.
    pub store: &'s dyn Store,
    /// What the user calls it, for plans and reports.
    pub repository: &'s str,
    /// How many requests may be under way at once; at least one.
    pub concurrency: usize,
}

/// Why a release could not be observed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The image to release does not exist.
    #[error("find {source_image} in {repository}: {}", nearest(.tags))]
    NoSource {
        /// The repository.
        repository: String,
        /// The tag or digest that was to be released.
        source_image: Selector,
        /// Tags that do exist and look most like it, at most three; none when the tag list was
        /// not read or is empty.
        tags: Vec<Tag>,
    },
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn nearest(tags: &[Tag]) -> String {
    if tags.is_empty() {
        return "there is no such image".to_owned();
    }
    let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
    format!("there is no such image; the nearest tags are {}", tags.join(", "))
}

impl Target<'_> {
    /// Looks at everything that planning `release` of the image at `source` takes.
    ///
    /// With the guard on: the tag list first, then in parallel the source and those tags of
    /// interest that exist. The source is read whole only when it is certain to be needed.
    /// With the guard off: the source, and the exact tags unless they are forced.
    ///
    /// # Errors
    /// When the source does not exist, or any answer is missing or incomplete.
    pub async fn observe(
        &self,
        release: &Release,
        source: &Selector,
    ) -> Result<Observation, ObserveError> {
        let listing = match release.guard {
            Guard::Full => Listing::Complete(self.tags().await?),
            Guard::Off => Listing::NotRead,
        };
        self.observe_listed(release, source, listing).await
    }

    /// Looks at everything that planning `release` takes, of an `image` that is to be brought
    /// here first.
    ///
    /// # Errors
    /// When any answer is missing or incomplete.
    pub async fn observe_for(
        &self,
        release: &Release,
        image: Descriptor,
    ) -> Result<Observation, ObserveError> {
        let listing = match release.guard {
            Guard::Full => Listing::Complete(self.tags().await?),
            Guard::Off => Listing::NotRead,
        };
        let seen = self.see(tags_to_ask(release, &listing), &listing).await?;
        let repository = self.repository.to_owned();
        Ok(Observation { schema: SCHEMA, repository, source: image, listing, seen })
    }

    /// [`Target::observe`] with a tag list that was just read.
    pub(crate) async fn observe_listed(
        &self,
        release: &Release,
        source: &Selector,
        listing: Listing,
    ) -> Result<Observation, ObserveError> {
        let mut wanted = tags_to_ask(release, &listing);
        // The source says what its own tag holds.
        if let Selector::Tag(tag) = source {
            wanted.remove(tag);
        }
        let read_whole = match &listing {
            Listing::Complete(tags) => release.must_write(tags),
            Listing::NotRead => true,
        };
        let (found, seen) =
            future::try_join(self.source(source, read_whole, &listing), self.see(wanted, &listing))
                .await?;
        let Some(found) = found else {
            return Err(ObserveError::NoSource {
                repository: self.repository.to_owned(),
                source_image: source.clone(),
                tags: similar(source, &listing),
            });
        };
        let mut seen = seen;
        if let Selector::Tag(tag) = source {
            seen.insert(tag.clone(), Some(found.clone()));
        }
        Ok(Observation {
            schema: SCHEMA,
            repository: self.repository.to_owned(),
            source: found,
            listing,
            seen,
        })
    }

    /// The complete tag list.
    pub(crate) async fn tags(&self) -> Result<BTreeSet<Tag>, ObserveError> {
        Ok(self.store.tags().await?)
    }

    async fn source(
        &self,
        source: &Selector,
        read_whole: bool,
        listing: &Listing,
    ) -> Result<Option<Descriptor>, ObserveError> {
        if read_whole {
            // The store remembers what it read, so the bytes are at hand when they are written.
            return self.read(source).await;
        }
        self.look(source, listing).await
    }

    /// What each of `tags` points at.
    pub(crate) async fn see(
        &self,
        tags: BTreeSet<Tag>,
        listing: &Listing,
    ) -> Result<BTreeMap<Tag, Option<Descriptor>>, ObserveError> {
        let looks = tags.into_iter().map(|tag| async {
            let found = self.look(&Selector::Tag(tag.clone()), listing).await?;
            Ok((tag, found))
        });
        stream::iter(looks).buffer_unordered(self.concurrency.max(1)).try_collect().await
    }

    /// HEAD; and where that denies what the tag list has, GET: some registries answer the one
    /// with 404 and the other with the manifest.
    async fn look(
        &self,
        selector: &Selector,
        listing: &Listing,
    ) -> Result<Option<Descriptor>, ObserveError> {
        let found = self.store.head(selector).await?;
        match (&found, selector, listing) {
            (None, Selector::Tag(tag), Listing::Complete(tags)) if tags.contains(tag) => {
                self.read(selector).await
            }
            _ => Ok(found),
        }
    }

    pub(crate) async fn read(
        &self,
        selector: &Selector,
    ) -> Result<Option<Descriptor>, ObserveError> {
        let manifest = self.store.get(selector).await?;
        Ok(manifest.map(|manifest| manifest.descriptor().clone()))
    }
}

/// Of the tags to see those that can exist.
fn tags_to_ask(release: &Release, listing: &Listing) -> BTreeSet<Tag> {
    let mut wanted = release.tags_to_see(listing);
    if let Listing::Complete(tags) = listing {
        wanted.retain(|tag| tags.contains(tag));
    }
    wanted
}

/// At most three tags that share the longest beginning with what was not found.
fn similar(source: &Selector, listing: &Listing) -> Vec<Tag> {
    let (Selector::Tag(wanted), Listing::Complete(tags)) = (source, listing) else {
        return Vec::new();
    };
    let shared = |tag: &Tag| {
        let pairs = tag.as_str().bytes().zip(wanted.as_str().bytes());
        pairs.take_while(|(own, wanted)| own == wanted).count()
    };
    let mut tags: Vec<Tag> = tags.iter().cloned().collect();
    tags.sort_by_key(|tag| std::cmp::Reverse(shared(tag)));
    tags.truncate(3);
    tags
}

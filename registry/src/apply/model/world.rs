//! The world of the model: one repository, and the requests that read and change it.

use bytes::Bytes;

use super::oracle::Version;
use crate::alias::AliasPolicy;
use crate::digest::Digest;
use crate::manifest::{Manifest, MediaType};
use crate::reference::Selector;
use crate::tag::Tag;

/// A tag, as its place among the tags of the scenario.
pub(super) type TagId = u8;

/// Tags, one bit each.
pub(super) type TagSet = u32;

/// An image, as its place among the images of the scenario.
pub(super) type ImageId = u8;

/// Which image each tag points at: four bits a tag, zero for a tag that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct World(u128);

/// One request of a [`crate::Store`]: what the registry performs at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    List,
    Head(What),
    Get(What),
    Put(TagId, ImageId),
    Untag(TagId),
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Tag(TagId),
    Image(ImageId),
}

/// What a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// The tags there are.
    Listed(TagSet),
    Found(Option<ImageId>),
    Done,
    /// An error that does not say whether anything was written.
    Failed,
}

/// The tags and images of a scenario, which are all there will ever be.
pub(super) struct Names {
    /// The aliases that its runs keep.
    pub(super) policy: AliasPolicy,
    pub(super) tags: Vec<Tag>,
    images: Vec<(String, Manifest)>,
}

impl World {
    const MOST_TAGS: usize = 32;
    const MOST_IMAGES: usize = 15;

    pub(super) fn empty() -> Self {
        Self(0)
    }

    pub(super) fn at(self, tag: TagId) -> Option<ImageId> {
        let image = (self.0 >> (4 * tag)) & 15;
        // Four bits.
        (image as ImageId).checked_sub(1)
    }

    pub(super) fn with(self, tag: TagId, image: Option<ImageId>) -> Self {
        let image = image.map_or(0, |image| u128::from(image) + 1);
        Self(self.0 & !(15 << (4 * tag)) | image << (4 * tag))
    }

    /// The tags there are.
    pub(super) fn listed(self) -> TagSet {
        let exists = |tag: &TagId| self.at(*tag).is_some();
        let tags = (0..Self::MOST_TAGS as TagId).filter(exists);
        tags.fold(0, |listed, tag| listed | 1 << tag)
    }

    /// What `request` is answered at this instant, and the world it leaves.
    pub(super) fn perform(self, request: Request) -> (Self, Answer) {
        match request {
            Request::List => (self, Answer::Listed(self.listed())),
            Request::Head(What::Tag(tag)) | Request::Get(What::Tag(tag)) => {
                (self, Answer::Found(self.at(tag)))
            }
            Request::Head(What::Image(image)) | Request::Get(What::Image(image)) => {
                (self, Answer::Found(Some(image)))
            }
            Request::Put(tag, image) => (self.with(tag, Some(image)), Answer::Done),
            Request::Untag(tag) => (self.with(tag, None), Answer::Done),
        }
    }
}

impl Request {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Put(..) | Self::Untag(_))
    }
}

impl Names {
    /// The names that occur in `worlds` (`tag=image`, separated by blanks), with the aliases
    /// of all versions among the tags.
    pub(super) fn new<'w>(policy: AliasPolicy, worlds: impl IntoIterator<Item = &'w str>) -> Self {
        let (mut tags, mut images): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        let pairs = worlds.into_iter().flat_map(pairs);
        for (tag, image) in pairs {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
            if !images.contains(&image) {
                images.push(image);
            }
        }
        let aliases = tags.iter().filter_map(|tag| Version::parse(tag));
        let aliases = aliases.flat_map(|version| version.aliases(policy));
        let mut names: Vec<String> = aliases.chain(tags.iter().map(|&tag| tag.into())).collect();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() <= World::MOST_TAGS && images.len() <= World::MOST_IMAGES);
        Self {
            policy,
            tags: names.iter().map(|tag| tag.parse().expect("a tag")).collect(),
            images: images.into_iter().map(|name| (name.to_owned(), manifest(name))).collect(),
        }
    }

    pub(super) fn world(&self, text: &str) -> World {
        pairs(text).fold(World::empty(), |world, (tag, image)| {
            let image = self.images.iter().position(|(name, _)| name == image);
            world.with(self.tag(tag), Some(image.expect("named") as ImageId))
        })
    }

    pub(super) fn tag(&self, text: &str) -> TagId {
        let known = self.tags.iter().position(|tag| tag.as_str() == text);
        known.unwrap_or_else(|| panic!("{text} is none of the runs' business")) as TagId
    }

    /// The version tags.
    pub(super) fn exact(&self) -> TagSet {
        let exact = |tag: &&Tag| Version::parse(tag.as_str()).is_some();
        self.tags.iter().filter(exact).fold(0, |tags, tag| tags | 1 << self.tag(tag.as_str()))
    }

    /// These versions and their aliases: what a release of them may write.
    pub(super) fn own(&self, versions: &str) -> TagSet {
        versions.split(' ').fold(0, |tags, version| {
            let aliases = Version::parse(version).expect("a version").aliases(self.policy);
            let aliases = aliases.iter().fold(0, |tags, alias| tags | 1 << self.tag(alias));
            tags | aliases | 1 << self.tag(version)
        })
    }

    pub(super) fn image(&self, digest: &Digest) -> ImageId {
        let known = self.images.iter().position(|(_, manifest)| manifest.digest() == digest);
        known.expect("no image but those of the scenario exists") as ImageId
    }

    pub(super) fn manifest(&self, image: ImageId) -> &Manifest {
        &self.images[usize::from(image)].1
    }

    pub(super) fn image_named(&self, name: &str) -> &Manifest {
        &self.images.iter().find(|(own, _)| own == name).expect("named").1
    }

    pub(super) fn what(&self, selector: &Selector) -> What {
        match selector {
            Selector::Tag(tag) => What::Tag(self.tag(tag.as_str())),
            Selector::Digest(digest) => What::Image(self.image(digest)),
        }
    }

    /// A request and its answer, for reading.
    pub(super) fn sentence(&self, request: Request, answer: Answer) -> String {
        let tag = |tag: TagId| &self.tags[usize::from(tag)];
        let image = |image: ImageId| format!("[{}]", self.images[usize::from(image)].0);
        let asked = match request {
            Request::List => "list tags".to_owned(),
            Request::Head(What::Tag(read)) => format!("head {}", tag(read)),
            Request::Get(What::Tag(read)) => format!("get {}", tag(read)),
            Request::Head(What::Image(read)) => format!("head {}", image(read)),
            Request::Get(What::Image(read)) => format!("get {}", image(read)),
            Request::Put(written, now) => format!("put {} := {}", tag(written), image(now)),
            Request::Untag(removed) => format!("untag {}", tag(removed)),
        };
        match answer {
            Answer::Listed(tags) => {
                let listed = (0..self.tags.len()).filter(|tag| tags >> tag & 1 == 1);
                let listed: Vec<_> = listed.map(|tag| self.tags[tag].as_str()).collect();
                format!("{asked}: {}", listed.join(" "))
            }
            Answer::Found(Some(found)) => format!("{asked}: {}", image(found)),
            Answer::Found(None) => format!("{asked}: no such tag"),
            Answer::Done => asked,
            Answer::Failed => format!("{asked}: error"),
        }
    }

    pub(super) fn show(&self, world: World) -> String {
        let tags = (0..self.tags.len() as TagId).filter_map(|tag| {
            let image = &self.images[usize::from(world.at(tag)?)].0;
            Some(format!("{}=[{image}]", self.tags[usize::from(tag)]))
        });
        tags.collect::<Vec<_>>().join(" ")
    }
}

fn pairs(world: &str) -> impl Iterator<Item = (&str, &str)> {
    world.split_whitespace().map(|pair| pair.split_once('=').expect("tag=image"))
}

fn manifest(name: &str) -> Manifest {
    let body = format!("{{\"mediaType\":\"{}\",\"x\":\"{name}\"}}", MediaType::OCI_INDEX);
    Manifest::received(Bytes::from(body), "", None).expect("typed")
}

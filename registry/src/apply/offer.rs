//! Offers: all tags of one image at once, to a store that can write them so.

use std::collections::BTreeMap;

use super::Trouble;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::observe::Target;
use crate::plan::Step;
use crate::store::StoreError;
use crate::tag::Tag;

/// What came of the offers.
pub(super) struct Offered<'p> {
    /// The steps that were carried out; and when one offer failed, those of which that is not
    /// known, with the reason.
    pub(super) tried: Vec<(&'p Step, Option<Trouble>)>,
    /// Why an offer failed.
    pub(super) failure: Option<StoreError>,
}

impl Target<'_> {
    /// Offers the tags of every image that has several, in the order of `steps`: the exact one
    /// first. What the store does not take so is left to be written one by one.
    pub(super) async fn offer<'p>(
        &self,
        steps: &'p [Step],
        manifests: &BTreeMap<Digest, Manifest>,
    ) -> Offered<'p> {
        let mut offered = Offered { tried: Vec::new(), failure: None };
        for image in images(steps).into_iter().filter(|image| image.len() > 1) {
            let tags: Vec<Tag> = image.iter().map(|step| step.tag.clone()).collect();
            match self.store.put_tags(&tags, &manifests[&image[0].target.digest]).await {
                Ok(written) => {
                    let written = image.into_iter().filter(|step| written.contains(&step.tag));
                    offered.tried.extend(written.map(|step| (step, None)));
                }
                Err(error) => {
                    // Any of them may have been written: all are looked at.
                    let reason = Trouble::of(&error);
                    offered
                        .tried
                        .extend(image.into_iter().map(|step| (step, Some(reason.clone()))));
                    offered.failure = Some(error);
                    break;
                }
            }
        }
        offered
    }
}

/// The steps of each image, in their order.
fn images(steps: &[Step]) -> Vec<Vec<&Step>> {
    let mut images: Vec<Vec<&Step>> = Vec::new();
    for step in steps {
        match images.iter_mut().find(|image| image[0].target.digest == step.target.digest) {
            Some(image) => image.push(step),
            None => images.push(vec![step]),
        }
    }
    images
}

//! Choosing one platform of an index.

use std::collections::BTreeSet;

use crate::content::Content;
use crate::copy::copier::Copier;
use crate::copy::error::CopyError;
use crate::copy::tree::PlatformChoice;
use crate::manifest::Manifest;
use crate::platform::Platform;

impl Copier<'_> {
    /// The one manifest that the index `asked` has for `platform`, at the least depth where it
    /// has any.
    pub(super) async fn select(
        &self,
        asked: &Manifest,
        platform: &Platform,
    ) -> Result<(Manifest, PlatformChoice), CopyError> {
        let image = || asked.digest().clone();
        let mut level = vec![(image(), Content::of(asked)?)];
        if level[0].1.children.is_empty() {
            return Err(CopyError::NoIndex { image: image(), platform: platform.clone() });
        }
        let others = level[0].1.children.len() - 1;
        let mut offered = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..=self.options.limits.depth {
            let mut candidates = Vec::new();
            let mut unmarked = Vec::new();
            for (index, content) in &level {
                for child in &content.children {
                    match &child.platform {
                        Some(its) if platform.accepts(its) => candidates.push((index, child)),
                        Some(its) => offered.push(its.clone()),
                        None => unmarked.push((index, child)),
                    }
                }
            }
            let mut once = BTreeSet::new();
            candidates.retain(|(_, child)| once.insert(&child.descriptor.digest));
            if let [(index, child)] = candidates[..] {
                let manifest = self.child(index, child).await?;
                let choice = PlatformChoice { platform: platform.clone(), others };
                return Ok((manifest, choice));
            }
            if !candidates.is_empty() {
                let digests = candidates.iter().map(|(_, child)| child.descriptor.digest.clone());
                let (image, candidates) = (image(), digests.collect());
                let platform = platform.clone();
                return Err(CopyError::SeveralPlatforms { image, platform, candidates });
            }
            let mut below = Vec::new();
            unmarked.retain(|(_, child)| seen.insert(child.descriptor.digest.clone()));
            for (index, child) in unmarked.into_iter().take(self.options.limits.manifests) {
                let manifest = self.child(index, child).await?;
                below.push((manifest.digest().clone(), Content::of(&manifest)?));
            }
            level = below;
            if level.is_empty() {
                break;
            }
        }
        offered.retain(|platform| !platform.is_unknown());
        Err(CopyError::NoPlatform { image: image(), platform: platform.clone(), offered })
    }
}

//! Platforms: what an image runs on, by its index or by its configuration.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::content::Content;
use crate::copy::CopySource;
use crate::manifest::{Descriptor, MediaType};
use crate::platform::Platform;
use crate::reference::Selector;
use crate::store::{Blame, StoreError};

/// The configurations that say what an image runs on.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The largest configuration to read, in bytes: the largest manifest that registries take.
const LARGEST: u64 = 4 << 20;

/// How deep indexes may lie in each other.
const DEPTH: u32 = 8;

/// What an image's configuration says of it.
#[derive(Deserialize)]
struct Config {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

/// The platforms of the image at `selector`; none when it says nothing of any, and `None` when
/// there is no such image.
///
/// An index is believed; the configuration is read only of images that are in none. So this
/// costs the manifest, which a release reads anyway, and one blob where there is no index.
///
/// # Errors
/// When the source refuses or fails, a part of the image is missing, or what it lists cannot be
/// told.
pub async fn platforms(
    source: &dyn CopySource,
    selector: &Selector,
) -> Result<Option<BTreeSet<Platform>>, StoreError> {
    let Some(manifest) = source.get(selector).await? else { return Ok(None) };
    let mut found = BTreeSet::new();
    let mut level = vec![manifest];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for manifest in level {
            let digest = manifest.digest();
            let content = Content::of(&manifest).map_err(|error| {
                let message = format!("find out what {digest} runs on");
                StoreError::new(Blame::Unsupported, message)
                    .with_remedy(error.remedy())
                    .with_source(error)
            })?;
            let part = content.blobs.first().map(|part| &part.descriptor);
            if let Some(config) = part.filter(|part| CONFIGS.contains(&part.media_type.as_str())) {
                found.extend(configured(source, config).await?);
            }
            for child in content.children {
                let is_list = [MediaType::OCI_INDEX, MediaType::DOCKER_LIST]
                    .contains(&child.descriptor.media_type.as_str());
                match child.platform {
                    Some(platform) if !platform.is_unknown() => drop(found.insert(platform)),
                    None if is_list => below.push(child.descriptor.digest),
                    _ => {}
                }
            }
        }
        level = Vec::with_capacity(below.len());
        for digest in below {
            let missing = StoreError::new(Blame::NotFound, format!("find {digest} of an index"));
            let child = source.get(&Selector::Digest(digest)).await?;
            level.push(child.ok_or_else(|| missing.with_remedy("build the image again"))?);
        }
    }
    Ok(Some(found))
}

async fn configured(
    source: &dyn CopySource,
    config: &Descriptor,
) -> Result<Option<Platform>, StoreError> {
    let attempt = || format!("read the configuration {} of an image", config.digest);
    if config.size > LARGEST {
        let message = format!("{}: it has {} bytes", attempt(), config.size);
        return Err(StoreError::new(Blame::Unsupported, message));
    }
    let reader = source.open_blob(config).await?.ok_or_else(|| StoreError::missing_blob(config))?;
    let mut reader = reader.verified(config)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::new(Blame::Registry, attempt()).with_source(error))?;
    let (Some(os), Some(architecture)) = (config.os, config.architecture) else { return Ok(None) };
    Ok(Some(Platform::new(&os, &architecture, config.variant.as_deref())))
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use super::*;
    use crate::fake::{FakeOptions, FakeRegistry};
    use crate::{Access, Registry, RegistryOptions};

    async fn of(fake: &FakeRegistry, tag: &str) -> Option<String> {
        let registry = Registry::new(fake.host().parse().unwrap(), &RegistryOptions::default());
        let web = registry.unwrap().repository("web", Access::Pull);
        let found = platforms(&web, &Selector::Tag(tag.parse().unwrap())).await.unwrap();
        found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn edge_23_an_index_is_believed_and_a_single_image_is_asked() {
        let fake = FakeRegistry::start(FakeOptions::default());
        fake.seed_image("web", "two", &["linux/amd64", "linux/arm64/v8"]);
        assert_eq!(of(&fake, "two").await.as_deref(), Some("linux/amd64 linux/arm64/v8"));
        assert_eq!(fake.requests().len(), 1);
        fake.seed_image("web", "one", &["linux/s390x"]);
        assert_eq!(of(&fake, "one").await.as_deref(), Some("linux/s390x"));
        assert_eq!(fake.requests().len(), 3);
        assert_eq!(of(&fake, "none").await, None);
    }

    #[tokio::test]
    async fn edge_23_an_index_in_an_index_is_followed_and_what_runs_nowhere_is_left_out() {
        let fake = FakeRegistry::start(FakeOptions::default());
        let inner = fake.seed_image("web", "two", &["linux/amd64", "linux/arm64"]);
        let entry = |digest: &crate::Digest, kind: &str, rest: &str| {
            format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":2{rest}}}"#)
        };
        let nowhere = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
        let (index, image) = (MediaType::OCI_INDEX, MediaType::OCI_MANIFEST);
        let entries = [entry(&inner, index, ""), entry(&inner, image, nowhere)].join(",");
        let outer = format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
        fake.put_manifest("web", "nested", index, outer);
        assert_eq!(of(&fake, "nested").await.as_deref(), Some("linux/amd64 linux/arm64"));
        let artifact = format!(r#"{{"schemaVersion":2,"mediaType":"{image}","layers":[]}}"#);
        fake.put_manifest("web", "artifact", image, artifact);
        assert_eq!(of(&fake, "artifact").await.as_deref(), Some(""));
    }
}

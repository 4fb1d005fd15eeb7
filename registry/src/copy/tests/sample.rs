//! Images to copy.

use bytes::Bytes;

use crate::blob::BlobReader;
use crate::content::Content;
use crate::copy::Destination;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};

pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A manifest, with all that it consists of, in an order in which it can be written.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) manifests: Vec<Manifest>,
    pub(super) blobs: Vec<(Descriptor, Bytes)>,
}

pub(super) fn blob(media_type: &str, content: &str) -> (Descriptor, Bytes) {
    let content = Bytes::copy_from_slice(content.as_bytes());
    (descriptor(media_type, &content), content)
}

pub(super) fn descriptor(media_type: &str, content: &[u8]) -> Descriptor {
    let (media_type, digest) = (MediaType::new(media_type), Digest::sha256(content));
    Descriptor { media_type, digest, size: content.len() as u64 }
}

pub(super) fn json(descriptor: &Descriptor, rest: &str) -> String {
    let Descriptor { media_type, digest, size } = descriptor;
    format!(r#"{{"mediaType":"{media_type}", "digest":"{digest}","size":{size}{rest}}}"#)
}

pub(super) fn manifest(body: &str, media_type: &str) -> Manifest {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    Manifest::received(bytes, media_type, None).expect("a manifest")
}

/// An image with a config and these layers; `rest` goes before the end of its manifest.
pub(super) fn image(layers: &[&str], rest: &str) -> Sample {
    let config = blob(CONFIG, &format!("config of {}", layers.join("+")));
    let layers: Vec<_> = layers.iter().map(|layer| blob(LAYER, layer)).collect();
    let listed: Vec<_> = layers.iter().map(|(layer, _)| json(layer, "")).collect();
    let body = format!(
        "{{\"schemaVersion\":2,\n  \"mediaType\":\"{}\",\"config\":{},\"layers\":[{}]{rest}}}\n",
        MediaType::OCI_MANIFEST,
        json(&config.0, ""),
        listed.join(", ")
    );
    let manifests = vec![manifest(&body, MediaType::OCI_MANIFEST)];
    Sample { manifests, blobs: layers.into_iter().chain([config]).collect() }
}

/// Something attached to `subject`.
pub(super) fn attached(subject: &Manifest, content: &str) -> Sample {
    let rest = format!(r#","subject":{}"#, json(subject.descriptor(), ""));
    image(&[content], &rest)
}

/// An index of these images, each with what its entry says besides.
pub(super) fn index(children: &[(&Sample, &str)], rest: &str) -> Sample {
    let listed: Vec<_> =
        children.iter().map(|(child, rest)| json(child.root().descriptor(), rest)).collect();
    let body = format!(
        "{{ \"schemaVersion\": 2, \"mediaType\": \"{}\",\t\"manifests\": [{}]{rest} }}",
        MediaType::OCI_INDEX,
        listed.join(",\n")
    );
    let mut sample = Sample { manifests: Vec::new(), blobs: Vec::new() };
    for (child, _) in children {
        sample.manifests.extend(child.manifests.iter().cloned());
        sample.blobs.extend(child.blobs.iter().cloned());
    }
    sample.manifests.push(manifest(&body, MediaType::OCI_INDEX));
    sample
}

pub(super) fn platform(text: &str) -> String {
    let (os, architecture) = text.split_once('/').expect("os/architecture");
    format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}"#)
}

/// An image for two platforms that share a layer.
pub(super) fn two_platforms() -> Sample {
    let (amd, arm) = (image(&["base of both", "amd64 app"], ""), image(&["base of both"], ""));
    index(&[(&amd, &platform("linux/amd64")), (&arm, &platform("linux/arm64"))], "")
}

impl Sample {
    pub(super) fn root(&self) -> &Manifest {
        self.manifests.last().expect("a root")
    }

    pub(super) fn digest(&self) -> &Digest {
        self.root().digest()
    }

    /// Writes it to `store`, under `tag` if there is one.
    pub(super) async fn load(&self, store: &dyn Destination, tag: Option<&str>) {
        for (blob, content) in &self.blobs {
            let reader = BlobReader::from(content.clone());
            store.write_blob(blob, reader).await.expect("written");
        }
        for manifest in &self.manifests {
            store.put_manifest(manifest).await.expect("written");
        }
        if let Some(tag) = tag {
            store.put(&tag.parse().expect("a tag"), self.root()).await.expect("written");
        }
    }

    /// Every manifest and blob of it that is copied, once.
    pub(super) fn parts(&self) -> usize {
        let content = |manifest| Content::of(manifest).expect("readable");
        let foreign = self.manifests.iter().flat_map(|manifest| content(manifest).blobs);
        let foreign: Vec<_> = foreign.filter(|part| part.foreign).collect();
        let mut blobs: Vec<_> = self.blobs.iter().map(|(blob, _)| &blob.digest).collect();
        blobs.retain(|digest| foreign.iter().all(|part| part.descriptor.digest != **digest));
        blobs.sort();
        blobs.dedup();
        blobs.len() + self.manifests.len()
    }
}

//! Manifests, by tag and by digest.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::directory::What;
use super::options::{TagWrites, TagsBesideTag};
use super::world::{Content, StoredManifest, World, digest_invalid, digest_of, unsupported};
use crate::digest::Digest;
use crate::manifest::MediaType;
use crate::tag::Tag;
use crate::version::VersionTag;

/// The last part of a manifest's path.
enum Reference {
    Tag(Tag),
    Digest(Digest),
}

/// What the registry reads of a manifest: the things it refers to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct References {
    config: Option<Link>,
    #[serde(default)]
    layers: Vec<Link>,
    #[serde(default)]
    manifests: Vec<Link>,
    subject: Option<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    digest: Digest,
    #[serde(default)]
    media_type: String,
}

impl World {
    /// `GET` and `HEAD`: bytes and media type as they came.
    pub(super) fn get_manifest(
        &mut self,
        call: &Call,
        repository: &str,
        reference: &str,
    ) -> Result<Answer, Answer> {
        let left = self.pulls_left(call)?;
        let content = self.known(repository)?;
        let digest = match Reference::parse(reference)? {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(tag) => content.tags.get(&tag).cloned().or_else(|| {
                let subject = tag.as_str().replacen('-', ":", 1).parse().ok();
                subject.filter(|_| self.options.fallback_is_subject)
            }),
        };
        let found = digest.and_then(|digest| Some((content.manifests.get(&digest)?, digest)));
        let (manifest, digest) = found.ok_or_else(|| unknown(reference))?;
        let (manifest, digest) = self.negotiated(call, content, manifest, digest);
        let mut answer = Answer::new(200).body(&manifest.media_type, manifest.bytes.clone());
        if !self.options.digest_header_missing {
            answer = answer.header("Docker-Content-Digest", digest.to_string());
        }
        let Some(left) = left else { return Ok(answer) };
        self.pulls += usize::from(call.method == "GET");
        Ok(answer.header("ratelimit-remaining", format!("{left};w=21600")))
    }

    /// How many manifests may be read after this one, where there is a limit.
    fn pulls_left(&self, call: &Call) -> Result<Option<usize>, Answer> {
        let Some(limit) = self.options.pull_limit else { return Ok(None) };
        let left = limit.saturating_sub(self.pulls);
        match (call.method == "GET", left) {
            (true, 0) => Err(Answer::error(429, "TOOMANYREQUESTS", "pull rate limit reached")
                .header("ratelimit-remaining", "0;w=21600")),
            (is_get, left) => Ok(Some(left - usize::from(is_get))),
        }
    }

    /// What a client gets that does not say it accepts what there is.
    fn negotiated(
        &self,
        call: &Call,
        content: &Content,
        manifest: &StoredManifest,
        digest: Digest,
    ) -> (StoredManifest, Digest) {
        let accept = call.header("accept").unwrap_or_default();
        let as_it_is = (manifest.clone(), digest);
        if accept.contains(&manifest.media_type) {
            return as_it_is;
        }
        if self.options.schema1_without_accept {
            let media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws".to_owned();
            let bytes = Bytes::from_static(br#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#);
            let digest = Digest::sha256(&bytes);
            return (StoredManifest { media_type, bytes }, digest);
        }
        let children = serde_json::from_slice::<References>(&manifest.bytes);
        let child = children.ok().and_then(|own| own.manifests.into_iter().next());
        let child = child.filter(|_| self.options.child_without_accept);
        match child.and_then(|child| Some((content.manifests.get(&child.digest)?, child.digest))) {
            Some((child, digest)) => (child.clone(), digest),
            None => as_it_is,
        }
    }

    /// `PUT`, with the tags of end-7b where the registry knows them.
    pub(super) fn put_manifest(
        &mut self,
        call: &Call,
        repository: &str,
        reference: &str,
    ) -> Result<Answer, Answer> {
        let (digest, mut tags) = match Reference::parse(reference)? {
            Reference::Tag(tag) => (Digest::sha256(&call.body), vec![tag]),
            Reference::Digest(digest) => (digest, Vec::new()),
        };
        digest.verify(&call.body).map_err(|_| digest_invalid(digest.as_str()))?;
        let limit = self.options.tags_per_put;
        let mut beside: Vec<Tag> = match limit {
            0 => Vec::new(),
            _ => {
                let asked = call.query.all("tag").map(str::parse);
                asked.collect::<Result<_, _>>().map_err(|_| invalid("a tag is not legal"))?
            }
        };
        if beside.len() > limit {
            return Err(Answer::error(414, "SIZE_INVALID", "too many tags in one request"));
        }
        let is_by_tag = !tags.is_empty();
        if is_by_tag && !beside.is_empty() && self.options.tags_beside_tag == TagsBesideTag::Refused
        {
            return Err(Answer::error(400, "UNSUPPORTED", "tag parameters require a digest"));
        }
        beside.truncate(self.options.tags_taken);
        tags.extend(beside.iter().cloned());
        let media_type = call.header("content-type").unwrap_or_default().to_owned();
        let subject = self.check(repository, &media_type, &call.body)?;
        self.check_writable(repository, &digest, &tags)?;

        let manifest = StoredManifest { media_type, bytes: call.body.clone() };
        self.note(repository, What::Manifest(digest.clone(), manifest.clone(), tags.clone()));
        let content = self.content(repository);
        content.manifests.insert(digest.clone(), manifest);
        content.tags.extend(tags.iter().map(|tag| (tag.clone(), digest.clone())));

        let location = self.location(&format!("/v2/{repository}/manifests/{digest}"));
        let mut answer = Answer::new(201).header("Location", location);
        if !self.options.digest_header_missing {
            answer = answer.header("Docker-Content-Digest", digest.to_string());
        }
        if let Some(subject) = subject.filter(|_| !self.options.referrers_unsupported) {
            answer = answer.header("OCI-Subject", subject.to_string());
        }
        if !beside.is_empty() {
            let tags: Vec<&str> = beside.iter().map(Tag::as_str).collect();
            answer = answer.header("OCI-Tag", tags.join(", "));
        }
        Ok(answer)
    }

    /// `DELETE`: of a tag alone, or of a manifest with its tags where that is allowed.
    pub(super) fn delete_manifest(
        &mut self,
        repository: &str,
        reference: &str,
    ) -> Result<Answer, Answer> {
        self.known(repository)?;
        let reference_kind = Reference::parse(reference)?;
        let allowed = match reference_kind {
            Reference::Tag(_) => !self.options.untag_unsupported,
            Reference::Digest(_) => self.options.delete_by_digest,
        };
        if !allowed {
            return Err(unsupported());
        }
        let content = self.content(repository);
        let (existed, removed) = match reference_kind {
            Reference::Tag(tag) => (content.tags.remove(&tag).is_some(), vec![tag]),
            Reference::Digest(digest) => {
                let of_it = content.tags.iter().filter(|(_, target)| **target == digest);
                let removed: Vec<Tag> = of_it.map(|(tag, _)| tag.clone()).collect();
                content.tags.retain(|_, target| *target != digest);
                (content.manifests.remove(&digest).is_some(), removed)
            }
        };
        removed.into_iter().for_each(|tag| self.note(repository, What::Untagged(tag)));
        match existed {
            true => Ok(Answer::new(202)),
            false => Err(unknown(reference)),
        }
    }

    /// Refuses what the specification lets a registry refuse; gives the subject, if any.
    fn check(
        &self,
        repository: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Option<Digest>, Answer> {
        if bytes.len() > self.options.max_manifest_bytes {
            return Err(Answer::error(413, "SIZE_INVALID", "the manifest is too large"));
        }
        if media_type.is_empty() {
            return Err(invalid("the request has no Content-Type"));
        }
        let Ok(references) = serde_json::from_slice::<References>(bytes) else {
            // Types nobody knows may hold anything; what says it is a manifest must be one.
            return match MediaType::ACCEPT.contains(&MediaType::new(media_type).as_str()) {
                true => Err(invalid("the manifest is not one of its media type")),
                false => Ok(None),
            };
        };
        if !self.options.missing_references {
            references.check(self.repositories.get(repository))?;
        }
        Ok(references.subject.map(|subject| subject.digest))
    }

    fn check_writable(
        &self,
        repository: &str,
        digest: &Digest,
        tags: &[Tag],
    ) -> Result<(), Answer> {
        let Some(content) = self.repositories.get(repository) else { return Ok(()) };
        for (tag, own) in tags.iter().filter_map(|tag| content.tags.get_key_value(tag)) {
            let refusal = match self.options.tag_writes {
                TagWrites::Immutable(status) if own != digest => Some(status),
                TagWrites::Once(status) => Some(status),
                TagWrites::VersionsOnce(status) => {
                    tag.as_str().parse::<VersionTag>().is_ok().then_some(status)
                }
                TagWrites::Free | TagWrites::Immutable(_) => None,
            };
            if let Some(status) = refusal {
                let message = format!("tag {tag} already exists and is immutable");
                return Err(Answer::error(status, "TAG_INVALID", &message));
            }
        }
        Ok(())
    }
}

impl References {
    fn check(&self, content: Option<&Content>) -> Result<(), Answer> {
        // Foreign layers are where their URLs say, not in registries.
        let local = self.layers.iter().filter(|layer| {
            !layer.media_type.contains(".foreign.")
                && !layer.media_type.contains("nondistributable")
        });
        let blobs = self.config.iter().chain(local);
        let missing = |link: &&Link, held: fn(&Content, &Digest) -> bool| {
            !content.is_some_and(|content| held(content, &link.digest))
        };
        let blob = blobs.filter(|link| missing(link, |c, digest| c.blobs.contains_key(digest)));
        let children = self.manifests.iter();
        let child =
            children.filter(|link| missing(link, |c, digest| c.manifests.contains_key(digest)));
        let missing: Vec<&str> = blob.chain(child).map(|link| link.digest.as_str()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = "manifest references a manifest or blob unknown to registry";
        let detail = json!({ "digest": missing });
        Err(Answer::error_about(404, "MANIFEST_BLOB_UNKNOWN", message, &detail))
    }
}

impl Reference {
    /// A colon makes it a digest: tags have none.
    fn parse(text: &str) -> Result<Self, Answer> {
        if text.contains(':') {
            return digest_of(text).map(Self::Digest);
        }
        text.parse().map(Self::Tag).map_err(|_| invalid("the tag is not legal"))
    }
}

fn unknown(reference: &str) -> Answer {
    let detail = json!({ "reference": reference });
    Answer::error_about(404, "MANIFEST_UNKNOWN", "manifest unknown", &detail)
}

fn invalid(reason: &str) -> Answer {
    Answer::error(400, "MANIFEST_INVALID", reason)
}

#[cfg(test)]
mod tests;

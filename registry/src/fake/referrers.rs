//! The referrers API.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::world::{StoredManifest, World, digest_of};
use crate::digest::Digest;
use crate::manifest::MediaType;

impl World {
    /// An index of the manifests whose subject is `digest`: empty when there is none.
    pub(super) fn referrers(
        &self,
        call: &Call,
        repository: &str,
        digest: &str,
    ) -> Result<Answer, Answer> {
        if self.options.referrers_unsupported {
            return Err(Answer::new(404).body("text/plain", "404 page not found\n"));
        }
        let subject = digest_of(digest)?;
        let manifests = self.known(repository)?.manifests.iter();
        let mut referrers: Vec<Value> = manifests
            .filter_map(|(digest, manifest)| descriptor(&subject, digest, manifest))
            .collect();
        let filter = call.query.get("artifactType");
        if let Some(filter) = filter {
            referrers.retain(|descriptor| descriptor["artifactType"] == filter);
        }
        let start = call.query.get("start").and_then(|start| start.parse().ok()).unwrap_or(0);
        let rest = referrers.split_off(referrers.len().min(start));
        let mut referrers = rest;
        let more = referrers.len() > self.options.max_referrers_page;
        referrers.truncate(self.options.max_referrers_page);
        let index = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": referrers,
        });
        let mut answer = Answer::new(200).body(MediaType::OCI_INDEX, index.to_string());
        if more {
            let start = start + self.options.max_referrers_page;
            let filter = filter.map(|kind| format!("&artifactType={kind}")).unwrap_or_default();
            let next = format!("/v2/{repository}/referrers/{subject}?start={start}{filter}");
            let next = format!(r#"<{}>; rel="next""#, self.location(&next));
            answer = answer.header("Link", next);
        }
        Ok(match filter {
            Some(_) => answer.header("OCI-Filters-Applied", "artifactType"),
            None => answer,
        })
    }
}

/// The descriptor of a manifest that refers to `subject`, as the specification composes it.
fn descriptor(subject: &Digest, digest: &Digest, manifest: &StoredManifest) -> Option<Value> {
    let body: Value = serde_json::from_slice(&manifest.bytes).ok()?;
    if body["subject"]["digest"] != subject.as_str() {
        return None;
    }
    let own = Some(&body["artifactType"]).filter(|own| own.is_string());
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": manifest.bytes.len(),
        "artifactType": own.unwrap_or(&body["config"]["mediaType"]),
    });
    if body["annotations"].is_object() {
        descriptor["annotations"] = body["annotations"].clone();
    }
    Some(descriptor)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::fake::testing::{call, fake, fake_with};
    use crate::fake::{FakeOptions, FakeRegistry};
    use crate::manifest::MediaType;

    fn attach(fake: &FakeRegistry, kind: &str) -> (String, Option<String>) {
        let subject = fake.seed_image("app", "1.2.3", &["linux/amd64"]);
        let config = fake.put_blob("app", "{}");
        let body = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": kind,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config,
                "size": 2 },
            "layers": [], "annotations": { "by": "test" },
            "subject": { "mediaType": MediaType::OCI_MANIFEST, "digest": subject, "size": 1 },
        });
        let header = [("Content-Type", MediaType::OCI_MANIFEST)];
        let path = format!("/v2/app/manifests/{kind}");
        let put = call(fake, "PUT", &path, &header, body.to_string().as_bytes());
        assert_eq!(put.status, 201, "{}", put.text());
        (subject.to_string(), put.header("oci-subject").map(str::to_owned))
    }

    #[test]
    fn manifests_with_a_subject_are_listed_and_filtered() {
        let fake = fake();
        let (subject, acknowledged) = attach(&fake, "sbom");
        attach(&fake, "signature");
        assert_eq!(acknowledged.as_deref(), Some(subject.as_str()));
        let path = format!("/v2/app/referrers/{subject}");
        let all = call(&fake, "GET", &path, &[], b"");
        assert_eq!(all.header("content-type"), Some(MediaType::OCI_INDEX));
        let index: Value = serde_json::from_slice(&all.body).expect("an index");
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
        let some = call(&fake, "GET", &format!("{path}?artifactType=sbom"), &[], b"");
        assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
        let index: Value = serde_json::from_slice(&some.body).expect("an index");
        assert_eq!(index["manifests"][0]["annotations"]["by"], "test");
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn a_registry_may_not_know_the_api() {
        let fake = fake_with(FakeOptions { referrers_unsupported: true, ..Default::default() });
        let (subject, acknowledged) = attach(&fake, "sbom");
        assert_eq!(acknowledged, None);
        let path = format!("/v2/app/referrers/{subject}");
        assert_eq!(call(&fake, "GET", &path, &[], b"").status, 404);
    }
}

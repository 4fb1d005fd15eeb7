//! Registries that one runs oneself.

use super::super::options::{FakeOptions, TagWrites, TagsBesideTag};
use super::{Profile, bearer, claims};

pub(super) fn profiles() -> Vec<Profile> {
    vec![artifactory(), distribution_2(), distribution_3(), harbor(), nexus(), zot()]
}

fn artifactory() -> Profile {
    Profile {
        name: "artifactory",
        title: "JFrog Artifactory",
        options: FakeOptions { head_blind: true, ..bearer() },
        faults: Vec::new(),
        claims: claims([(
            "HEAD of a manifest contradicts GET, which is right",
            "gardener/cc-utils#1752",
        )]),
    }
}

fn distribution_2() -> Profile {
    Profile {
        name: "distribution-2",
        title: "CNCF Distribution 2",
        options: FakeOptions { referrers_unsupported: true, untag_unsupported: true, ..bearer() },
        faults: Vec::new(),
        claims: claims([
            ("there is no referrers API, and no header of OCI's", "distribution/distribution#3859"),
            (
                "only a digest can be deleted",
                "distribution/distribution: docs/spec/api.md, Deleting an Image",
            ),
        ]),
    }
}

fn distribution_3() -> Profile {
    Profile {
        name: "distribution-3",
        title: "CNCF Distribution 3",
        options: FakeOptions { referrers_unsupported: true, ..bearer() },
        faults: Vec::new(),
        claims: claims([("there is no referrers API", "distribution/distribution#4828")]),
    }
}

fn harbor() -> Profile {
    Profile {
        name: "harbor",
        title: "Harbor",
        options: FakeOptions {
            tag_writes: TagWrites::VersionsOnce(412),
            mount_refusal: Some(401),
            ..bearer()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "a tag that a rule makes immutable is refused with 412, with the digest it has too",
                "goharbor/harbor#9427; replicatedhq/kots#5940",
            ),
            (
                "a mount from a project that does not exist is refused with 401",
                "goharbor/harbor#17097",
            ),
        ]),
    }
}

fn nexus() -> Profile {
    Profile {
        name: "nexus",
        title: "Sonatype Nexus Repository",
        options: FakeOptions { digest_header_missing: true, ..bearer() },
        faults: Vec::new(),
        claims: claims([(
            "answers have no Docker-Content-Digest",
            "google/go-containerregistry#971",
        )]),
    }
}

fn zot() -> Profile {
    Profile {
        name: "zot",
        title: "zot",
        options: FakeOptions {
            tags_per_put: 46,
            tags_beside_tag: TagsBesideTag::Refused,
            max_manifest_bytes: 4 << 20,
            ..bearer()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "a PUT by digest takes up to 46 tags in its query; a PUT by tag that has any is \
                 refused",
                "project-zot/zot#3885",
            ),
            (
                "a manifest of more than 4 MiB is refused with 413",
                "project-zot/zot: pkg/api/constants, MaxManifestBodySize",
            ),
        ]),
    }
}

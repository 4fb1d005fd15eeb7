//! Registries that somebody else runs.

use super::super::answer::Answer;
use super::super::fault::{Fault, FaultRule};
use super::super::options::{BearerAuth, Chunks, FakeAuth, FakeOptions, TagWrites};
use super::{PASSWORD, Profile, USER, bearer, claims};

const MIB: usize = 1 << 20;

/// What ACR calls the user whose password is a refresh token.
const NULL_USER: &str = "00000000-0000-0000-0000-000000000000";

pub(super) fn profiles() -> Vec<Profile> {
    vec![acr(), ecr(), gar(), ghcr(), gitlab(), hub(), quay()]
}

fn acr() -> Profile {
    let auth = BearerAuth {
        refresh_token: Some(PASSWORD.to_owned()),
        ..BearerAuth::new(NULL_USER, PASSWORD)
    };
    Profile {
        name: "acr",
        title: "Azure Container Registry",
        options: FakeOptions {
            auth: FakeAuth::Bearer(auth),
            max_upload_body: 20 * MIB,
            ..FakeOptions::default()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "the password of the null user is a refresh token, which POST trades for an access \
                 token",
                "Azure/acr: docs/AAD-OAuth.md",
            ),
            ("a PUT of more than about 20 MB is refused with 413", "goharbor/harbor#23015"),
        ]),
    }
}

fn ecr() -> Profile {
    Profile {
        name: "ecr",
        title: "Amazon ECR",
        options: FakeOptions {
            auth: FakeAuth::basic("AWS", PASSWORD),
            tag_writes: TagWrites::VersionsOnce(400),
            chunk_status: 201,
            min_chunk: 5 * MIB,
            mount_unsupported: true,
            max_page: 1000,
            ..FakeOptions::default()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "the user AWS shows a password in every request",
                "Amazon ECR User Guide: Private registry authentication",
            ),
            (
                "an immutable tag that exists is refused with 400, with the digest it has too; \
                 filters exclude aliases from that",
                "Amazon ECR User Guide: Preventing image tags from being overwritten; \
                 aws/containers-roadmap#2179",
            ),
            (
                "a PATCH is answered with 201, and its Range does not advance",
                "aws/containers-roadmap#2831",
            ),
            (
                "all parts of an upload but the last have at least 5 MiB",
                "Amazon ECR API Reference: CompleteLayerUpload, LayerPartTooSmallException",
            ),
            (
                "blobs are mounted only where the account has opted in",
                "Amazon ECR User Guide: Blob mounting; hashicorp/terraform-provider-aws#46092",
            ),
            ("a page has at most 1000 tags", "Amazon ECR API Reference: ListImages, maxResults"),
        ]),
    }
}

fn gar() -> Profile {
    Profile {
        name: "gar",
        title: "Google Artifact Registry",
        options: FakeOptions { chunks: Chunks::Refused, ..bearer() },
        faults: Vec::new(),
        claims: claims([(
            "chunked uploads are not supported: a blob comes in one PUT",
            "Artifact Registry documentation: Docker API; dotnet/sdk-container-builds#287",
        )]),
    }
}

fn ghcr() -> Profile {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.889377ms, allowed: 2000/minute"}]}"#;
    let busy = Answer::new(429).body("application/json", body);
    Profile {
        name: "ghcr",
        title: "GitHub Container Registry",
        options: FakeOptions { chunks: Chunks::AtMost(4 * MIB), ..bearer() },
        faults: vec![FaultRule::on("PUT", "/manifests/", Fault::Answer(busy)).skip(1)],
        claims: claims([
            ("a PATCH of more than 4 MiB is refused with 416", "ocx-sh/ocx#237"),
            (
                "a 429 says how long to wait in its message, in fractions of milliseconds",
                "chainguard-images/images#173; gardenlinux/gardenlinux#2585",
            ),
        ]),
    }
}

fn gitlab() -> Profile {
    Profile {
        name: "gitlab",
        title: "GitLab Container Registry",
        options: FakeOptions { fallback_is_subject: true, referrers_unsupported: true, ..bearer() },
        faults: Vec::new(),
        claims: claims([
            ("there is no referrers API", "oras-project/oras-go#1396"),
            ("the tag sha256-HEX is the manifest sha256:HEX itself", "oras-project/oras-go#1396"),
        ]),
    }
}

fn hub() -> Profile {
    let auth = BearerAuth { realm_elsewhere: true, ..BearerAuth::new(USER, PASSWORD) };
    Profile {
        name: "hub",
        title: "Docker Hub",
        options: FakeOptions {
            auth: FakeAuth::Bearer(auth),
            pull_limit: Some(200),
            child_without_accept: true,
            ..FakeOptions::default()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "200 manifests may be read in six hours; what is left is stated, and HEAD does not \
                 count",
                "Docker documentation: Docker Hub pull usage and limits",
            ),
            (
                "an index is answered by its amd64 image where Accept does not list it",
                "opencontainers/distribution-spec#207",
            ),
            (
                "tokens come from another host, auth.docker.io",
                "Docker documentation: Docker Hub pull usage and limits, auth.docker.io/token",
            ),
        ]),
    }
}

fn quay() -> Profile {
    Profile {
        name: "quay",
        title: "Quay",
        options: FakeOptions {
            max_page: 100,
            page_size_refused: true,
            schema1_without_accept: true,
            referrers_unsupported: true,
            ..bearer()
        },
        faults: Vec::new(),
        claims: claims([
            (
                "pages have at most 100 tags, and more are refused with 413",
                "google/go-containerregistry#1963",
            ),
            (
                "an image whose type Accept does not list is answered as schema 1",
                "quay/quay#1146; app-sre/sretoolbox#67",
            ),
            (
                "a manifest with a subject is not acknowledged by OCI-Subject",
                "opencontainers/distribution-spec#563",
            ),
        ]),
    }
}

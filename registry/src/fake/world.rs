//! What the fake registry holds.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::answer::Answer;
use super::auth::Tokens;
use super::call::{Call, Endpoint};
use super::directory::{Change, Directory, What};
use super::fault::Faults;
use super::options::FakeOptions;
use super::record::Log;
use crate::digest::Digest;
use crate::tag::Tag;

/// A manifest as it was stored: any bytes under any media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The `Content-Type` it came with, unchanged.
    pub media_type: String,
    /// The bytes it came with, unchanged.
    pub bytes: Bytes,
}

/// The whole registry: its behaviour, its content and its memory of what was asked.
#[derive(Debug)]
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) options: FakeOptions,
    pub(super) repositories: BTreeMap<String, Content>,
    pub(super) uploads: HashMap<String, Upload>,
    pub(super) tokens: Tokens,
    pub(super) faults: Faults,
    pub(super) log: Log,
    /// Where all of it is kept, if it is.
    pub(super) directory: Option<Arc<Directory>>,
    /// What is to be kept of the request under way.
    pub(super) changes: Vec<Change>,
    /// How many manifests were read.
    pub(super) pulls: usize,
}

/// One repository's content. The repository exists once anything was put in it.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) tags: BTreeMap<Tag, Digest>,
    pub(super) manifests: BTreeMap<Digest, StoredManifest>,
    pub(super) blobs: BTreeMap<Digest, Bytes>,
}

/// A blob on its way in.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) received: Vec<u8>,
    /// A chunk was smaller than all but the last may be.
    pub(super) is_short: bool,
}

impl World {
    pub(super) fn new(address: SocketAddr, options: FakeOptions) -> Self {
        Self {
            address,
            options,
            repositories: BTreeMap::new(),
            uploads: HashMap::new(),
            tokens: Tokens::default(),
            faults: Faults::default(),
            log: Log::default(),
            directory: None,
            changes: Vec::new(),
            pulls: 0,
        }
    }

    /// The registry's answer to a request that no fault strikes.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let answer = match self.authorize(call) {
            Ok(()) if self.options.authorization_refused && call.has("authorization") => {
                let message = "only one way to authenticate is allowed";
                Err(Answer::error(400, "INVALID_ARGUMENT", message))
            }
            Ok(()) => self.act(call),
            Err(refusal) => Err(refusal),
        };
        let answer = answer.unwrap_or_else(|refusal| refusal);
        answer.with("Docker-Distribution-Api-Version", "registry/2.0")
    }

    fn act(&mut self, call: &Call) -> Result<Answer, Answer> {
        let method = call.method.as_str();
        match (&call.endpoint, method) {
            (Endpoint::Base, "GET" | "HEAD") => Ok(Answer::json(200, &json!({}))),
            (Endpoint::Token, "GET" | "POST") => self.token(call),
            (Endpoint::Manifest { repository, reference }, _) => match method {
                "HEAD" if self.options.head_unsupported => Err(unsupported()),
                "HEAD" if self.options.head_blind => Err(Answer::new(404)),
                "GET" | "HEAD" => self.get_manifest(call, repository, reference),
                "PUT" => self.put_manifest(call, repository, reference),
                "DELETE" => self.delete_manifest(repository, reference),
                _ => Err(unsupported()),
            },
            (Endpoint::Tags { repository }, "GET") => self.list_tags(call, repository),
            (Endpoint::Referrers { repository, digest }, "GET") => {
                self.referrers(call, repository, digest)
            }
            (Endpoint::Blob { repository, digest }, "GET" | "HEAD") => {
                self.get_blob(call, repository, digest)
            }
            (Endpoint::Uploads { repository }, "POST") => self.start_upload(call, repository),
            (Endpoint::Upload { repository, id }, _) => match method {
                "GET" => self.upload_status(repository, id),
                "PATCH" => self.continue_upload(call, repository, id),
                "PUT" => self.finish_upload(call, repository, id),
                "DELETE" => self.cancel_upload(repository, id),
                _ => Err(unsupported()),
            },
            (Endpoint::BadName(name), _) => {
                let detail = json!({ "name": name });
                Err(Answer::error_about(400, "NAME_INVALID", "invalid repository name", &detail))
            }
            (Endpoint::Unknown, _) => Err(Answer::new(404).body("text/plain", "not found\n")),
            _ => Err(unsupported()),
        }
    }

    /// The repository, or the specification's error when nothing was ever put in it.
    pub(super) fn known(&self, repository: &str) -> Result<&Content, Answer> {
        self.repositories.get(repository).ok_or_else(|| {
            let detail = json!({ "name": repository });
            let status = self.options.unknown_repository;
            Answer::error_about(status, "NAME_UNKNOWN", "repository name not known", &detail)
        })
    }

    /// The repository, created when it is not there.
    pub(super) fn content(&mut self, repository: &str) -> &mut Content {
        self.repositories.entry(repository.to_owned()).or_default()
    }

    /// Notes what is to be kept, where anything is.
    pub(super) fn note(&mut self, repository: &str, what: What) {
        if self.directory.is_some() {
            self.changes.push(Change { repository: repository.to_owned(), what });
        }
    }

    /// `path` as a `Location` or `Link` has it.
    pub(super) fn location(&self, path: &str) -> String {
        match self.options.absolute_locations {
            true => format!("http://{}{path}", self.address),
            false => path.to_owned(),
        }
    }
}

/// The operation exists and is not offered.
pub(super) fn unsupported() -> Answer {
    Answer::error(405, "UNSUPPORTED", "the operation is unsupported")
}

/// A digest of a request, or the specification's error.
pub(super) fn digest_of(text: &str) -> Result<Digest, Answer> {
    text.parse().map_err(|_| digest_invalid(text))
}

/// What was sent is not what `digest` names.
pub(super) fn digest_invalid(digest: &str) -> Answer {
    let detail = json!({ "digest": digest });
    let message = "provided digest did not match uploaded content";
    Answer::error_about(400, "DIGEST_INVALID", message, &detail)
}

//! Blobs, on their way in: mounts and upload sessions.

use bytes::Bytes;
use serde_json::json;

use super::answer::Answer;
use super::call::{Call, Endpoint};
use super::directory::What;
use super::options::Chunks;
use super::world::{Upload, World, digest_invalid, digest_of, unsupported};
use crate::digest::Digest;

impl World {
    /// `POST`: a mount, a whole blob, or a new session.
    pub(super) fn start_upload(&mut self, call: &Call, repository: &str) -> Result<Answer, Answer> {
        if let Some(mount) = call.query.get("mount").filter(|_| !self.options.mount_unsupported) {
            let digest = digest_of(mount)?;
            let source = call.query.get("from").and_then(|from| self.repositories.get(from));
            if let (None, Some(status)) = (source, self.options.mount_refusal) {
                return Err(Answer::error(status, "UNAUTHORIZED", "unauthorized to access it"));
            }
            if let Some(blob) = source.and_then(|source| source.blobs.get(&digest)).cloned() {
                self.note(repository, What::Blob(digest.clone(), blob.clone()));
                self.content(repository).blobs.insert(digest.clone(), blob);
                return Ok(self.stored(repository, &digest));
            }
        } else if let Some(digest) = call.query.get("digest")
            && !self.options.single_post_unsupported
        {
            return self.store(repository, digest, &call.body);
        }
        let id = format!("{:032x}", fastrand::u128(..));
        let (repository, received) = (repository.to_owned(), Vec::new());
        let upload = Upload { repository: repository.clone(), received, is_short: false };
        self.uploads.insert(id.clone(), upload);
        let answer = self.progress(202, &repository, &id, 0);
        Ok(match self.options.min_chunk {
            0 => answer,
            least => answer.header("OCI-Chunk-Min-Length", least.to_string()),
        })
    }

    /// `GET`: how far the session is.
    pub(super) fn upload_status(&self, repository: &str, id: &str) -> Result<Answer, Answer> {
        let received = self.session(repository, id)?.received.len();
        Ok(self.progress(204, repository, id, received))
    }

    /// `PATCH`: one more chunk.
    pub(super) fn continue_upload(
        &mut self,
        call: &Call,
        repository: &str,
        id: &str,
    ) -> Result<Answer, Answer> {
        self.check_in_order(call, repository, id)?;
        match self.options.chunks {
            Chunks::Refused => return Err(unsupported()),
            Chunks::AtMost(most) if call.body.len() > most => {
                let received = self.session(repository, id)?.received.len();
                return Err(self.progress(416, repository, id, received));
            }
            Chunks::AtMost(_) | Chunks::Taken => {}
        }
        let received = self.receive(id, &call.body);
        Ok(self.progress(self.options.chunk_status, repository, id, received))
    }

    /// Takes what came of a request that broke off, as registries do.
    pub(super) fn receive_part(&mut self, call: &Call) {
        if let Endpoint::Upload { repository, id } = &call.endpoint
            && self.authorize(call).is_ok()
            && self.check_in_order(call, repository, id).is_ok()
        {
            self.receive(id, &call.body);
        }
    }

    fn receive(&mut self, id: &str, bytes: &[u8]) -> usize {
        let Some(upload) = self.uploads.get_mut(id) else { return 0 };
        upload.is_short |= bytes.len() < self.options.min_chunk;
        upload.received.extend_from_slice(bytes);
        upload.received.len()
    }

    /// `PUT`: the last chunk, or none, and the digest of all.
    pub(super) fn finish_upload(
        &mut self,
        call: &Call,
        repository: &str,
        id: &str,
    ) -> Result<Answer, Answer> {
        self.check_in_order(call, repository, id)?;
        let digest = call.query.get("digest").ok_or_else(|| digest_invalid(""))?;
        let mut blob = self.session(repository, id)?.received.clone();
        blob.extend_from_slice(&call.body);
        // A session whose blob was refused stays as it was, so that the client can try again.
        let answer = self.store(repository, digest, &blob)?;
        self.uploads.remove(id);
        Ok(answer)
    }

    /// `DELETE`: the session is over.
    pub(super) fn cancel_upload(&mut self, repository: &str, id: &str) -> Result<Answer, Answer> {
        self.session(repository, id)?;
        self.uploads.remove(id);
        Ok(Answer::new(204))
    }

    fn session(&self, repository: &str, id: &str) -> Result<&Upload, Answer> {
        let upload = self.uploads.get(id).filter(|upload| upload.repository == repository);
        upload.ok_or_else(|| {
            let detail = json!({ "upload": id });
            Answer::error_about(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown", &detail)
        })
    }

    /// Strict about what clients get wrong: the query of the `Location` must come back, from
    /// the newest one, and a chunk that says where it belongs must belong there.
    fn check_in_order(&self, call: &Call, repository: &str, id: &str) -> Result<(), Answer> {
        let session = self.session(repository, id)?;
        let received = session.received.len();
        if call.body.len() > self.options.max_upload_body {
            return Err(Answer::error(413, "SIZE_INVALID", "the body is too large"));
        }
        if session.is_short && !call.body.is_empty() {
            let message = "a chunk that is not the last one was too small";
            return Err(Answer::error(400, "SIZE_INVALID", message));
        }
        let Some(state) = call.query.get("_state") else {
            let message = "the query of the upload's Location is missing";
            return Err(Answer::error(400, "BLOB_UPLOAD_INVALID", message));
        };
        let start = call.header("content-range").map(|range| {
            let first = range.trim_start_matches("bytes ").split('-').next();
            first.unwrap_or_default().to_owned()
        });
        let here = received.to_string();
        if state != here || start.is_some_and(|start| start != here) {
            return Err(self.progress(416, repository, id, received));
        }
        Ok(())
    }

    /// Where the session goes on. `Range` is inclusive and says `0-0` for nothing, as
    /// registries do.
    fn progress(&self, status: u16, repository: &str, id: &str, received: usize) -> Answer {
        let path = format!("/v2/{repository}/blobs/uploads/{id}?_state={received}");
        Answer::new(status)
            .header("Location", self.location(&path))
            .header("Docker-Upload-UUID", id)
            .header("Range", format!("0-{}", received.saturating_sub(1)))
    }

    fn store(&mut self, repository: &str, digest: &str, blob: &[u8]) -> Result<Answer, Answer> {
        let digest = digest_of(digest)?;
        digest.verify(blob).map_err(|_| digest_invalid(digest.as_str()))?;
        let blob = Bytes::copy_from_slice(blob);
        self.note(repository, What::Blob(digest.clone(), blob.clone()));
        self.content(repository).blobs.insert(digest.clone(), blob);
        Ok(self.stored(repository, &digest))
    }

    fn stored(&self, repository: &str, digest: &Digest) -> Answer {
        Answer::new(201)
            .header("Location", self.location(&format!("/v2/{repository}/blobs/{digest}")))
            .header("Docker-Content-Digest", digest.to_string())
    }
}

#[cfg(test)]
mod tests;

//! Blobs, on their way out.

use bytes::Bytes;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::world::{World, digest_of};

impl World {
    /// `GET` and `HEAD`, whole or one range.
    pub(super) fn get_blob(
        &self,
        call: &Call,
        repository: &str,
        digest: &str,
    ) -> Result<Answer, Answer> {
        let digest = digest_of(digest)?;
        let blob = self.known(repository)?.blobs.get(&digest).ok_or_else(|| {
            let detail = json!({ "digest": digest });
            Answer::error_about(404, "BLOB_UNKNOWN", "blob unknown to registry", &detail)
        })?;
        if let Some(storage) = self.options.blob_storage.as_ref().filter(|_| call.method == "GET") {
            let signature = fastrand::u32(..);
            let to = format!("{storage}/v2/{repository}/blobs/{digest}?signature={signature}");
            return Ok(Answer::new(307).header("Location", to));
        }
        let range = call.header("range").filter(|_| !self.options.ranges_ignored);
        let answer = match range.and_then(parse_range) {
            None => whole(blob),
            Some((first, last)) => part(blob, first, last)?,
        };
        Ok(answer
            .header("Accept-Ranges", "bytes")
            .header("Docker-Content-Digest", digest.to_string()))
    }
}

fn whole(blob: &Bytes) -> Answer {
    Answer::new(200).body("application/octet-stream", blob.clone())
}

fn part(blob: &Bytes, first: usize, last: Option<usize>) -> Result<Answer, Answer> {
    let size = blob.len();
    let end = last.map_or(size, |last| last.saturating_add(1).min(size));
    if first >= end {
        return Err(Answer::new(416).header("Content-Range", format!("bytes */{size}")));
    }
    Ok(Answer::new(206)
        .body("application/octet-stream", blob.slice(first..end))
        .header("Content-Range", format!("bytes {first}-{}/{size}", end - 1)))
}

/// `bytes=FIRST-[LAST]`. Anything else is ignored, as HTTP allows.
fn parse_range(header: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let last = match last {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    Some((first.parse().ok()?, last))
}

#[cfg(test)]
mod tests {
    use crate::fake::testing::{call, fake};

    #[test]
    fn a_blob_is_served_whole_or_in_part() {
        let fake = fake();
        let digest = fake.put_blob("app", "0123456789");
        let path = format!("/v2/app/blobs/{digest}");
        let whole = call(&fake, "GET", &path, &[], b"");
        assert_eq!((whole.status, whole.body.as_slice()), (200, b"0123456789".as_slice()));
        assert_eq!(whole.header("docker-content-digest"), Some(digest.as_str()));
        let head = call(&fake, "HEAD", &path, &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
        for (range, status, body, stated) in [
            ("bytes=4-", 206, "456789", "bytes 4-9/10"),
            ("bytes=4-5", 206, "45", "bytes 4-5/10"),
            ("bytes=4-99", 206, "456789", "bytes 4-9/10"),
            ("bytes=10-", 416, "", "bytes */10"),
        ] {
            let part = call(&fake, "GET", &path, &[("Range", range)], b"");
            assert_eq!((part.status, part.text().as_str()), (status, body), "{range}");
            assert_eq!(part.header("content-range"), Some(stated));
        }
    }

    #[test]
    fn unknown_blobs_and_bad_digests_are_named() {
        let fake = fake();
        let digest = fake.put_blob("other", "x");
        let get = |path: &str| call(&fake, "GET", path, &[], b"");
        assert!(get(&format!("/v2/app/blobs/{digest}")).is_error(404, "NAME_UNKNOWN"));
        fake.put_blob("app", "y");
        assert!(get(&format!("/v2/app/blobs/{digest}")).is_error(404, "BLOB_UNKNOWN"));
        assert!(get("/v2/app/blobs/sha256:1").is_error(400, "DIGEST_INVALID"));
    }
}

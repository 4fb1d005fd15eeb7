//! How a fake registry behaves.

use std::time::Duration;

use super::answer::Answer;

/// What a [`FakeRegistry`](super::FakeRegistry) asks for, allows and gets wrong.
///
/// The default is an anonymous registry that follows the specification. Take what differs and
/// leave the rest to `..FakeOptions::default()`.
#[derive(Clone, Debug)]
pub struct FakeOptions {
    /// Who may do what.
    pub auth: FakeAuth,
    /// Whether a tag may move.
    pub tag_writes: TagWrites,
    /// `HEAD` of a manifest is refused with 405.
    pub head_unsupported: bool,
    /// `HEAD` of a manifest is answered with 404, whether it is there or not.
    pub head_blind: bool,
    /// An index, asked for without an `Accept` of its type, is answered by its first child.
    pub child_without_accept: bool,
    /// What is asked for without an `Accept` of its type is answered by a manifest of schema 1.
    pub schema1_without_accept: bool,
    /// No answer about a manifest names its digest.
    pub digest_header_missing: bool,
    /// The tag `ALGORITHM-HEX` of a manifest's digest is answered by that manifest.
    pub fallback_is_subject: bool,
    /// How many manifests may be read by `GET`, stated as `ratelimit-remaining`; more are refused
    /// with 429. Without it nothing is stated.
    pub pull_limit: Option<usize>,
    /// What is answered about a repository that does not exist.
    pub unknown_repository: u16,
    /// `DELETE` of a tag is refused with 405.
    pub untag_unsupported: bool,
    /// `DELETE` of a manifest by digest works, taking its tags along; else it is 405.
    pub delete_by_digest: bool,
    /// A manifest may refer to blobs and children that the repository does not hold.
    pub missing_references: bool,
    /// The largest manifest taken, in bytes; a larger one is refused with 413.
    pub max_manifest_bytes: usize,
    /// How many `?tag=` parameters a `PUT` by digest may carry: the specification's end-7b.
    /// More are refused with 414. With 0 the registry has never heard of them and does not
    /// look.
    pub tags_per_put: usize,
    /// How many of those tags are taken, first come first served: the others are neither written
    /// nor named in `OCI-Tag`.
    pub tags_taken: usize,
    /// What happens to `?tag=` in a `PUT` by tag, where [`tags_per_put`](Self::tags_per_put)
    /// says that the registry knows it at all.
    pub tags_beside_tag: TagsBesideTag,
    /// The tag list is refused with 403.
    pub deny_tag_list: bool,
    /// The answer to every request for a tag list: cut JSON, a page of HTML, a foreign `Link`.
    pub tag_list_raw: Option<Answer>,
    /// The most tags in one page.
    pub max_page: usize,
    /// An `n` beyond `max_page` is refused with 413.
    pub page_size_refused: bool,
    /// The client's `n` is ignored: pages are of `max_page` tags.
    pub ignore_page_size: bool,
    /// `"tags": null` where there is none.
    pub tags_null_when_empty: bool,
    /// The smallest chunk of an upload but the last, in bytes, stated as `OCI-Chunk-Min-Length`
    /// and enforced: what follows a smaller one is refused with 400. With 0 nothing is stated.
    pub min_chunk: usize,
    /// The largest body of a `PUT` or `PATCH` to an upload, in bytes; a larger one is refused
    /// with 413, and the session stays as it was.
    pub max_upload_body: usize,
    /// What is made of chunks.
    pub chunks: Chunks,
    /// The status that answers a chunk.
    pub chunk_status: u16,
    /// `Range` is ignored in requests for blobs: they come whole.
    pub ranges_ignored: bool,
    /// `GET` of a blob that exists is redirected to the same path below this base, such as
    /// `http://` and another fake's host, with a query of its own: storage with presigned URLs.
    pub blob_storage: Option<String>,
    /// A request with `Authorization` is refused with 400, as storage with presigned URLs does.
    pub authorization_refused: bool,
    /// A mount always opens an upload session.
    pub mount_unsupported: bool,
    /// The status that refuses a mount from a repository that does not exist; without one such a
    /// mount opens an upload session.
    pub mount_refusal: Option<u16>,
    /// `POST ?digest=` always opens an upload session and ignores the body.
    pub single_post_unsupported: bool,
    /// The most referrers in one page.
    pub max_referrers_page: usize,
    /// The referrers API is 404, and a manifest with a subject is not acknowledged.
    pub referrers_unsupported: bool,
    /// `Location` and `Link` carry scheme and host.
    pub absolute_locations: bool,
}

/// Whether a tag may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagWrites {
    /// Always.
    #[default]
    Free,
    /// A tag that exists may only be written with the digest it has; else this status.
    /// Registries use 400, 403, 409 and 412.
    Immutable(u16),
    /// A tag that exists is refused with this status, even with the digest it has: ECR's 400.
    Once(u16),
    /// [`TagWrites::Once`] for tags that are versions; others move: a rule with exceptions, so
    /// that there can be aliases.
    VersionsOnce(u16),
}

/// What is made of the chunks of an upload, which are sent by `PATCH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunks {
    /// They are taken.
    #[default]
    Taken,
    /// Those with more bytes are refused with 416.
    AtMost(usize),
    /// All are refused with 405.
    Refused,
}

/// What a registry that knows `?tag=` makes of it in a `PUT` by tag, which the specification
/// leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagsBesideTag {
    /// Such a request is refused with 400, as zot and olareg do.
    #[default]
    Refused,
    /// They are written like those beside a digest.
    Taken,
}

/// Who may do what.
#[derive(Clone, Debug, Default)]
pub enum FakeAuth {
    /// Everybody may do everything.
    #[default]
    Anonymous,
    /// One user may do everything, with the password in every request.
    Basic {
        /// The user's name.
        user: String,
        /// The user's password.
        password: String,
    },
    /// Requests need a token with the right scope from the token endpoint.
    Bearer(BearerAuth),
}

/// The token endpoint and whom it serves.
#[derive(Clone, Debug)]
pub struct BearerAuth {
    /// The one user, who may do everything.
    pub user: String,
    /// That user's password.
    pub password: String,
    /// Without credentials, tokens for pulling are given out.
    pub anonymous_pull: bool,
    /// The identity token that `POST` with `grant_type=refresh_token` takes; without one, `POST`
    /// is 404, as in token servers that only know `GET`.
    pub refresh_token: Option<String>,
    /// How long a token is valid, stated as `expires_in`; without it nothing is stated and
    /// tokens last.
    pub lifetime: Option<Duration>,
    /// The realm names this registry by another host, `localhost`, as hosts do whose tokens come
    /// from elsewhere.
    pub realm_elsewhere: bool,
    /// Where the token stands in the token endpoint's answer to `GET`.
    pub field: TokenField,
}

/// The name of the token in the token endpoint's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenField {
    /// Under both names.
    #[default]
    Both,
    /// `token` only.
    Token,
    /// `access_token` only.
    AccessToken,
}

impl FakeAuth {
    /// [`FakeAuth::Basic`] for this user.
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    /// [`FakeAuth::Bearer`] for this user, with the defaults of [`BearerAuth::new`].
    #[must_use]
    pub fn bearer(user: &str, password: &str) -> Self {
        Self::Bearer(BearerAuth::new(user, password))
    }
}

impl BearerAuth {
    /// Tokens that last, for this user only.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            anonymous_pull: false,
            refresh_token: None,
            lifetime: None,
            realm_elsewhere: false,
            field: TokenField::Both,
        }
    }
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self {
            auth: FakeAuth::Anonymous,
            tag_writes: TagWrites::Free,
            head_unsupported: false,
            head_blind: false,
            child_without_accept: false,
            schema1_without_accept: false,
            digest_header_missing: false,
            fallback_is_subject: false,
            pull_limit: None,
            unknown_repository: 404,
            untag_unsupported: false,
            delete_by_digest: false,
            missing_references: false,
            max_manifest_bytes: 4 << 20,
            tags_per_put: 0,
            tags_taken: usize::MAX,
            tags_beside_tag: TagsBesideTag::Refused,
            deny_tag_list: false,
            tag_list_raw: None,
            max_page: 1000,
            page_size_refused: false,
            ignore_page_size: false,
            tags_null_when_empty: false,
            min_chunk: 0,
            max_upload_body: usize::MAX,
            chunks: Chunks::Taken,
            chunk_status: 202,
            ranges_ignored: false,
            blob_storage: None,
            authorization_refused: false,
            mount_unsupported: false,
            mount_refusal: None,
            single_post_unsupported: false,
            max_referrers_page: 1000,
            referrers_unsupported: false,
            absolute_locations: false,
        }
    }
}

//! Registries over HTTP: the [distribution specification][spec] as a [`Store`](crate::Store).
//!
//! From the wire up: `transport` sends one request and follows its redirects, `wire` tries again
//! within a deadline, `auth` answers challenges, `registry` puts the three together for one host,
//! and `repository` says what is asked for, with `tags` and `push` where that takes more than
//! one request. Blobs are streams: `download`, and `upload`, `feed` and `sending` on their way out.
//! `pace` holds back what a registry would refuse.
//! What decides is pure and beside them: `action`, `challenge`, `link`, `location`, `redirect`, `refusal`,
//! `retry`, `scope`, `token`.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod action;
mod admission;
mod auth;
mod blobs;
mod challenge;
mod copying;
mod cursor;
mod download;
mod feed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod link;
mod location;
mod mirror;
mod opened;
mod options;
mod pace;
mod patience;
mod payload;
mod push;
mod quota;
mod redirect;
mod referrers;
mod refusal;
mod registry;
mod repository;
mod request;
mod retry;
mod scope;
mod sending;
mod tagging;
mod tags;
mod text;
mod tls;
mod token;
mod transport;
mod unreachable;
mod upload;
mod verifier;
mod wire;

pub use admission::Admission;
pub use blobs::Mount;
pub use options::{RegistryOptions, TagsAtOnce};
pub use registry::Registry;
pub use repository::RepositoryStore;
pub use scope::Access;
pub use upload::Upload;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

//! Actions: the kinds of requests that registries limit apart.

use reqwest::{Method, Url};

use super::request::Request;

/// What a request asks a registry to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// To say what a manifest is: where reads are counted, this is not.
    ManifestLook,
    /// To give a manifest.
    ManifestRead,
    /// To store a manifest or move a tag.
    ManifestWrite,
    /// To remove a tag.
    ManifestRemove,
    /// To list tags.
    TagList,
    /// To list what refers to an image.
    ReferrerList,
    /// To give a blob, or say whether it is there.
    BlobRead,
    /// To open an upload, or mount a blob.
    UploadStart,
    /// To take content, or say how much of it there is.
    UploadContent,
    /// To issue a token; asked of whoever does that for the registry.
    Token,
    /// Anything else.
    Other,
}

impl Action {
    /// What `request` to a registry asks for.
    pub(super) fn of(request: &Request) -> Self {
        match (noun(&request.url), &request.method) {
            ("manifests", &Method::HEAD) => Self::ManifestLook,
            ("manifests", &Method::GET) => Self::ManifestRead,
            ("manifests", &Method::DELETE) => Self::ManifestRemove,
            ("manifests", _) => Self::ManifestWrite,
            ("tags", _) => Self::TagList,
            ("referrers", _) => Self::ReferrerList,
            ("blobs", &Method::GET | &Method::HEAD) => Self::BlobRead,
            (_, &Method::POST) => Self::UploadStart,
            // Where an upload goes on is the registry's to say.
            ("uploads", _) | (_, &Method::PUT | &Method::PATCH) => Self::UploadContent,
            _ => Self::Other,
        }
    }
}

/// The word of the API in a path, which comes last: repositories may be called `manifests`, too.
fn noun(url: &Url) -> &'static str {
    let mut segments = url.path_segments().into_iter().flatten().rev();
    let last = segments.next().unwrap_or_default();
    match segments.next().unwrap_or_default() {
        "manifests" => "manifests",
        "tags" if last == "list" => "tags",
        "referrers" => "referrers",
        "blobs" => "blobs",
        "uploads" => "uploads",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_35_each_action_of_the_api_is_told_by_method_and_path() {
        for (method, path, action) in [
            (Method::HEAD, "a/b/manifests/1.0", Action::ManifestLook),
            (Method::GET, "manifests/manifests/sha256:0", Action::ManifestRead),
            (Method::PUT, "a/manifests/1.0?tag=1", Action::ManifestWrite),
            (Method::DELETE, "a/manifests/1.0", Action::ManifestRemove),
            (Method::GET, "a/tags/list?n=1000", Action::TagList),
            (Method::GET, "a/manifests/tags/list", Action::TagList),
            (Method::GET, "a/referrers/sha256:0?artifactType=x", Action::ReferrerList),
            (Method::HEAD, "a/blobs/sha256:0", Action::BlobRead),
            (Method::GET, "a/blobs/sha256:0", Action::BlobRead),
            (Method::POST, "a/blobs/uploads/?mount=sha256:0&from=b", Action::UploadStart),
            (Method::PATCH, "a/blobs/uploads/7", Action::UploadContent),
            (Method::PUT, "a/blobs/uploads/7?digest=sha256:0", Action::UploadContent),
            (Method::GET, "a/blobs/uploads/7", Action::UploadContent),
            (Method::PUT, "elsewhere?digest=sha256:0", Action::UploadContent),
            (Method::GET, "", Action::Other),
        ] {
            let url = format!("https://reg/v2/{path}").parse().expect("a URL");
            assert_eq!(Action::of(&Request::new(method, url, "try")), action, "{path}");
        }
    }
}

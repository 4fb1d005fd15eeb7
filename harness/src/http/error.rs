//! Requests that went wrong.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::failure::debug_by_message;
use crate::port::PortError;

/// A request that went wrong, or an answer that is not the one expected.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There is no port to send it to.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The path has a fragment.
    #[error("request `{path}`: a fragment is not sent to servers; write `%23` for a `#`")]
    Fragment {
        /// The path.
        path: String,
    },
    /// It cannot be sent like this: a method, a header or a URL is none.
    #[error("make the request {method} {path}")]
    Invalid {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What is wrong.
        source: reqwest::Error,
    },
    /// The method is none.
    #[error("make the request {method} {path}: `{method}` is not a method")]
    Method {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// There was no answer.
    #[error("get an answer to {method} {url}")]
    NoAnswer {
        /// The method.
        method: String,
        /// Where it was sent.
        url: String,
        /// What happened instead.
        source: reqwest::Error,
    },
    /// The answer has another status.
    #[error("get {expected} from {method} {url}: it answered with {status}: {excerpt}")]
    Status {
        /// The method.
        method: String,
        /// Where it was sent.
        url: String,
        /// The status that was expected.
        expected: u16,
        /// The status of the answer.
        status: u16,
        /// The beginning of the body.
        excerpt: String,
    },
    /// The body is not the JSON that was expected.
    #[error("read JSON from the answer to {method} {url}: {excerpt}")]
    Json {
        /// The method.
        method: String,
        /// Where the request was sent.
        url: String,
        /// The beginning of the body.
        excerpt: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The value cannot be written as JSON.
    #[error("write JSON for {method} {path}")]
    Encode {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An authority to trust makes no sense.
    #[error("read the certificates to trust: {reason}")]
    Authorities {
        /// What is wrong with them.
        reason: String,
    },
}

debug_by_message!(HttpError);

impl HttpError {
    /// Whether another attempt would end the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            // The engine may be slow; the port will not be published later on.
            Self::Port(PortError::Request(_)) | Self::NoAnswer { .. } => false,
            Self::Port(_)
            | Self::Fragment { .. }
            | Self::Invalid { .. }
            | Self::Method { .. }
            | Self::Status { .. }
            | Self::Json { .. }
            | Self::Encode { .. }
            | Self::Authorities { .. } => true,
        }
    }

    /// The message with those of its causes.
    pub(crate) fn in_full(&self) -> String {
        let mut text = format!("failed to {self}");
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|reason| HttpError::Authorities { reason })?;
    }
    if roots.is_empty() {
        let reason = "there is none in the PEM".to_owned();
        return Err(HttpError::Authorities { reason });
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_are_none_are_refused() {
        for pem in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = roots(pem).unwrap_err().to_string();
            assert!(error.starts_with("read the certificates to trust: "), "{error}");
        }
    }
}

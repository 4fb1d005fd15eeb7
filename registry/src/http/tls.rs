//! TLS: whom to trust, and what to show.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::options::RegistryOptions;
use super::verifier::{SelfSigned, Unverified};
use crate::store::{Blame, StoreError};

/// Whose connections a configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// The registry's own host: all options count.
    Home,
    /// Any other host, to which a redirect or the realm of a challenge leads: it is always
    /// verified, and never sees the client certificate.
    Away,
}

/// The configuration for connections to `peer`. Having no authority to trust is an error only
/// where the registry `is_needed_for_https`.
///
/// HTTP/2 is offered unless `options` forbid it: the HTTP client leaves that to whoever makes the
/// configuration.
///
/// The cryptography is named here, so that a default which the process may or may not have
/// installed never matters.
pub(super) fn configuration(
    options: &RegistryOptions,
    peer: Peer,
    is_needed_for_https: bool,
) -> Result<ClientConfig, StoreError> {
    let mut configuration = trusting(options, peer, is_needed_for_https)?;
    if !options.http1_only {
        configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(configuration)
}

/// The configuration without what is spoken over it.
fn trusting(
    options: &RegistryOptions,
    peer: Peer,
    is_needed_for_https: bool,
) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("set up TLS", error))?;
    let builder = if peer == Peer::Home && options.insecure_skip_tls_verify {
        let verifier = Unverified::new(&provider);
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    } else {
        let roots = roots(options, is_needed_for_https)?;
        match options.certificates.authorities().next() {
            Some(_) => builder
                .dangerous()
                .with_custom_certificate_verifier(self_signed(options, roots, provider)?),
            None => builder.with_root_certificates(roots),
        }
    };
    let Some(identity) = options.certificates.identity().filter(|_| peer == Peer::Home) else {
        return Ok(builder.with_no_client_auth());
    };
    // Neither error is passed on: it could quote the key.
    let unreadable = || StoreError::new(Blame::Local, "read the client certificate and its key");
    let pem = identity.pem();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable())?;
    builder
        .with_client_auth_cert(chain.map_err(|_| unreadable())?, key)
        .map_err(|error| unusable("use the client certificate", error))
}

/// Trusts `roots`, and a server's own certificate among the authorities in `options`.
fn self_signed(
    options: &RegistryOptions,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, StoreError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| {
        StoreError::new(Blame::Local, "set up the verification of certificates").with_source(error)
    })?;
    let known = options.certificates.authorities().map(<[u8]>::to_vec).collect();
    Ok(Arc::new(SelfSigned::new(verifier, known)))
}

fn roots(options: &RegistryOptions, are_needed: bool) -> Result<RootCertStore, StoreError> {
    let system = system_roots();
    let mut roots = RootCertStore::empty();
    // The system's set may hold certificates that are too old-fashioned to be parsed.
    roots.add_parsable_certificates(system.certificates.iter().cloned());
    for authority in options.certificates.authorities() {
        roots
            .add(CertificateDer::from(authority.to_vec()))
            .map_err(|error| unusable("use the certificate of an authority", error))?;
    }
    if roots.is_empty() && are_needed {
        return Err(no_roots(system.problem.as_deref()));
    }
    Ok(roots)
}

struct SystemRoots {
    certificates: Vec<CertificateDer<'static>>,
    problem: Option<String>,
}

/// The system's authorities, read once: they are some hundred files.
fn system_roots() -> &'static SystemRoots {
    static ROOTS: OnceLock<SystemRoots> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let problem = found.errors.first().map(ToString::to_string);
        SystemRoots { certificates: found.certs, problem }
    })
}

fn no_roots(problem: Option<&str>) -> StoreError {
    let detail = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
    let message = format!("find the system's certificate authorities{detail}");
    StoreError::new(Blame::Local, message).with_remedy(
        "install the package ca-certificates, point SSL_CERT_FILE at a bundle of authorities, \
         or name the registry's own by --ca-file",
    )
}

fn unusable(what: &str, error: rustls::Error) -> StoreError {
    StoreError::new(Blame::Local, what).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_authorities_are_an_error_with_a_remedy() {
        let error = no_roots(Some("no directory"));
        assert_eq!(error.blame(), Blame::Local);
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("ca-certificates")));
    }

    #[test]
    fn no_default_provider_of_the_process_is_needed_or_set() {
        let options = RegistryOptions::default();
        for peer in [Peer::Home, Peer::Away] {
            configuration(&options, peer, false).expect("a configuration");
        }
        assert!(CryptoProvider::get_default().is_none());
    }
}

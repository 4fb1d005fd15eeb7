//! Connections that are encrypted, and some that are not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::certificates::Certificates;
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::{Reply, Script};
use crate::http::{Access, RepositoryStore};
use crate::store::{Store as _, StoreError};

/// An https server whose certificate is for `localhost`, and the PEM of who vouches for it.
fn server() -> (u16, String) {
    let (certificate, key, pem) = vouched_for();
    (serve_with(certificate, &key), pem)
}

/// A certificate for `localhost`, its key, and the PEM of who vouches for it.
pub(super) fn vouched_for() -> (CertificateDer<'static>, KeyPair, String) {
    let mut authority = CertificateParams::new([]).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
        .expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .and_then(|parameters| parameters.signed_by(&key, &authority))
        .expect("a certificate");
    (certificate.der().clone(), key, authority.pem())
}

/// An https server with a certificate of `kind` for `localhost` that nobody else vouches for.
fn self_signed_server(kind: IsCa) -> (u16, String) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    parameters.is_ca = kind;
    let certificate = parameters.self_signed(&key).expect("a certificate");
    (serve_with(certificate.der().clone(), &key), certificate.pem())
}

fn serve_with(certificate: CertificateDer<'static>, key: &KeyPair) -> u16 {
    let config = configuration(certificate, key);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || serve(&listener, &Arc::new(config)));
    port
}

pub(super) fn configuration(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .expect("a configuration")
}

fn serve(listener: &TcpListener, config: &Arc<ServerConfig>) {
    while let Ok((mut socket, _)) = listener.accept() {
        let mut connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
        let mut stream = Stream::new(&mut connection, &mut socket);
        let body = r#"{"name":"a","tags":["1"]}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        // Clients that do not trust it hang up.
        if stream.read(&mut [0; 4096]).is_ok() {
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}

fn store(host: &str, options: &RegistryOptions) -> RepositoryStore {
    let registry = Registry::new(host.parse().expect("a host"), options).expect("a client");
    registry.repository("a", Access::Pull)
}

pub(super) fn trusting(pem: &str) -> RegistryOptions {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), pem).expect("a written file");
    let certificates =
        Certificates::default().with_authority_file(file.path()).expect("a certificate");
    RegistryOptions { certificates, ..RegistryOptions::default() }
}

fn remedy(error: &StoreError) -> &str {
    error.remedy().unwrap_or_default()
}

#[tokio::test]
async fn an_extra_authority_is_trusted() {
    let (port, pem) = server();
    store(&format!("localhost:{port}"), &trusting(&pem)).tags().await.expect("trust");
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_named_is_trusted_and_no_other() {
    for kind in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::ExplicitNoCa, IsCa::NoCa] {
        let (port, pem) = self_signed_server(kind);
        store(&format!("localhost:{port}"), &trusting(&pem)).tags().await.expect("trust");
        let error = store(&format!("127.0.0.1:{port}"), &trusting(&pem)).tags().await.unwrap_err();
        assert!(error.to_string().contains("is for another name"), "{error}");
        let (_, other) = self_signed_server(kind);
        let error =
            store(&format!("localhost:{port}"), &trusting(&other)).tags().await.unwrap_err();
        assert!(error.to_string().contains("not trusted here"), "{error}");
    }
}

#[tokio::test]
async fn https_where_http_is_expected_has_a_remedy() {
    let (port, _) = server();
    let options = RegistryOptions::default();
    let error = store(&format!("localhost:{port}"), &options).tags().await.unwrap_err();
    assert!(error.to_string().contains("does not answer in http"), "{error}");
    assert!(remedy(&error).contains("--ca-file"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_with_a_remedy() {
    let (port, pem) = server();
    let error = store(&format!("127.0.0.1:{port}"), &trusting(&pem)).tags().await.unwrap_err();
    assert!(error.to_string().contains("is for another name"), "{error}");
    assert!(remedy(&error).contains("name"), "{error}");
}

#[tokio::test]
async fn an_unknown_authority_is_refused_with_a_remedy() {
    let (port, _) = server();
    let (_, other) = server();
    let error = store(&format!("localhost:{port}"), &trusting(&other)).tags().await.unwrap_err();
    assert!(error.to_string().contains("not trusted here"), "{error}");
    assert!(remedy(&error).contains("--ca-file"), "{error}");
}

#[tokio::test]
async fn verification_can_be_skipped_for_the_registry_alone() {
    let (port, _) = server();
    let options = RegistryOptions { insecure_skip_tls_verify: true, ..RegistryOptions::default() };
    store(&format!("localhost:{port}"), &options).tags().await.expect("no verification");

    // Where the registry leads is verified: here, 127.0.0.1 is another host than localhost.
    let (away, _) = server();
    let target = format!("https://127.0.0.1:{away}/x");
    let script = Script::start(move |_, _| Reply::new(307).with("location", &target)).await;
    let host = format!("localhost:{}", script.port());
    let options = RegistryOptions { plain_http: true, ..options };
    let error = store(&host, &options).tags().await.unwrap_err();
    assert!(error.to_string().contains("not trusted here"), "{error}");
}

#[tokio::test]
async fn http_where_https_is_expected_has_a_remedy() {
    let options = RegistryOptions { insecure_skip_tls_verify: true, ..RegistryOptions::default() };
    let plain = plain_server();
    let error = store(&format!("localhost:{plain}"), &options).tags().await.unwrap_err();
    assert!(error.to_string().contains("does not speak https"), "{error}");
    assert!(remedy(&error).contains("--plain-http"), "{error}");
}

/// A server that answers in http to anything, such as the start of a TLS handshake.
fn plain_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.read(&mut [0; 512]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        }
    });
    port
}

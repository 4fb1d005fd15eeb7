//! The registry as a service, on Debian's, which is started as the official image is.

use plimsoll_harness::service::Distribution;
use plimsoll_harness::{ContainerHttp, Define, Engine, Live, require_docker};
use plimsoll_tests::certificate::ServerCertificate;
use plimsoll_tests::image::REGISTRY;
use sha2::{Digest as _, Sha256};

use crate::service::{ready_each_time, shown};
use crate::{Error, TestResult};

async fn registry(engine: &Engine) -> Result<Distribution, Error> {
    Ok(Distribution::new(REGISTRY.ensure(engine).await?))
}

/// Pushes a manifest of nothing but an empty configuration.
async fn push(http: &ContainerHttp, repository: &str) -> TestResult {
    let digest = |bytes: &str| {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    };
    let begun = http.post(&format!("/v2/{repository}/blobs/uploads/")).await?.assert_status(202)?;
    let location = begun.header("location").ok_or("no location")?.to_owned();
    let (_, path) = location.split_once("/v2/").ok_or("no path")?;
    let put = http.put(&format!("/v2/{path}&digest={}", digest("{}"))).body("{}").await?;
    put.assert_status(201)?;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"{}"}},"layers":[]}}"#,
        digest("{}")
    );
    http.put(&format!("/v2/{repository}/manifests/1"))
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(manifest)
        .await?
        .assert_status(201)?;
    Ok(())
}

async fn catalog(registry: &Live<Distribution>) -> Result<String, Error> {
    let catalog = registry.http().get("/v2/_catalog").await?.assert_status(200)?;
    Ok(catalog.text().trim().to_owned())
}

#[tokio::test]
async fn service_distribution_answers_the_first_request_fifty_times() -> TestResult {
    let engine = require_docker!();
    let push = async |registry: &Live<_>| push(&registry.http(), "acme/cake").await;
    ready_each_time(50, &registry(&engine).await?, push).await
}

#[tokio::test]
async fn service_distribution_clean_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let registry = registry(&engine).await?.start().await?;
    for _ in 0..2 {
        push(&registry.http(), "acme/cake").await?;
        push(&registry.http(), "bread").await?;
        assert_eq!(catalog(&registry).await?, r#"{"repositories":["acme/cake","bread"]}"#);
        registry.clean().await?;
        assert_eq!(catalog(&registry).await?, r#"{"repositories":[]}"#);
        registry.http().get("/v2/bread/manifests/1").await?.assert_status(404)?;
    }
    registry.clean().await?;
    let address = registry.address().await?;
    assert_eq!(registry.url().await?, format!("http://{address}/"));
    Ok(())
}

#[tokio::test]
async fn service_distribution_speaks_tls_and_asks_for_passwords() -> TestResult {
    let engine = require_docker!();
    let server = ServerCertificate::issue(&["127.0.0.1"])?;
    let hash = "baker:$2b$05$abcdefghijklmnopqrstuuMUcIwP3iWdi.lVKbNRoktjd6KRCoicy\n";
    let definition =
        registry(&engine).await?.tls(server.certificate.clone(), server.key.clone()).htpasswd(hash);
    assert_eq!(definition.url_at("[::1]:5000"), "https://[::1]:5000/");
    let registry = definition.start().await?;
    let http = registry.http().https(server.ca.as_bytes())?;
    http.get("/v2/").await?.assert_status(401)?;
    let login = "Basic YmFrZXI6cGxpbXNvbGwtdGVzdC1wYXNzd29yZA==";
    http.get("/v2/").header("authorization", login).await?.assert_status(200)?;
    let debug = format!("{definition:?}{registry:?}");
    let secret = server.key.lines().nth(1).ok_or("no key")?;
    assert!(!debug.contains(secret) && !debug.contains("$2b$"), "{debug}");

    let message = shown(&definition.tls(server.certificate, "nonsense").start().await.unwrap_err());
    assert!(message.contains("failed to find any PEM data in key input"), "{message}");
    Ok(())
}

//! CNCF distribution in its variants, asked from outside and from inside.

use std::fmt::Write as _;

use plimsoll_harness::{ContainerDefinition, Network, require_docker};
use plimsoll_tests::distribution::{Access, RegistryContainer, RegistryDefinition};
use plimsoll_tests::image::REGISTRY;
use sha2::{Digest, Sha256};

use crate::TestResult;

/// The status of `GET /v2/`, trusting the registry's own authority and no other.
async fn ping(
    registry: &RegistryContainer,
    login: Option<(&str, &str)>,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    // Whoever installs it first, it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (scheme, roots) = match registry.ca_file() {
        Some(file) => ("https", vec![reqwest::Certificate::from_pem(&std::fs::read(file)?)?]),
        None => ("http", Vec::new()),
    };
    let client = reqwest::Client::builder().tls_certs_only(roots).no_proxy().build()?;
    let mut request = client.get(format!("{scheme}://{}/v2/", registry.address()));
    if let Some((user, password)) = login {
        request = request.basic_auth(user, Some(password));
    }
    Ok(request.send().await?.status().as_u16())
}

/// An OCI layout with one image without layers, as files to put into a container.
fn layout(definition: ContainerDefinition) -> (ContainerDefinition, String) {
    let digest = |bytes: &str| {
        Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#;
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": format!("sha256:{}", digest(config)),
            "size": config.len(),
        },
        "layers": [],
    })
    .to_string();
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{}", digest(&manifest)),
            "size": manifest.len(),
        }],
    });
    let expected = format!("sha256:{}", digest(&manifest));
    let definition = definition
        .file("/layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)
        .file("/layout/index.json", index.to_string(), 0o644)
        .file(format!("/layout/blobs/sha256/{}", digest(config)), config, 0o644)
        .file(format!("/layout/blobs/sha256/{}", digest(&manifest)), manifest, 0o644);
    (definition, expected)
}

/// Pushes an image with skopeo and asks for it again: the whole variant works.
async fn push_and_inspect(
    definition: RegistryDefinition,
) -> Result<RegistryContainer, Box<dyn std::error::Error + Send + Sync>> {
    let engine = plimsoll_harness::Engine::connect()?;
    let mut expected = String::new();
    let definition = definition.with_container(|container| {
        let (container, digest) = layout(container);
        expected = digest;
        container
    });
    let registry = definition.start(&engine).await?;
    registry.skopeo(&["copy", "oci:/layout", "docker://127.0.0.1:5000/team/app:1.0.0"]).await?;
    assert_eq!(registry.skopeo_inspect("team/app", "1.0.0").await?, expected);
    Ok(registry)
}

#[tokio::test]
async fn anonymous_lets_everyone_in_and_logs_what_they_did() -> TestResult {
    let _engine = require_docker!();
    let registry = push_and_inspect(RegistryDefinition::default()).await?;
    assert_eq!(ping(&registry, None).await?, 200);
    let log = registry.access_log().await?;
    let puts: Vec<_> = log.iter().filter(|access| access.method == "PUT").collect();
    let manifest = Access {
        method: "PUT".to_owned(),
        path: "/v2/team/app/manifests/1.0.0".to_owned(),
        status: 201,
    };
    assert!(puts.contains(&&manifest), "{log:?}");
    // What was answered last is in, without waiting.
    let ping = Access { method: "GET".to_owned(), path: "/v2/".to_owned(), status: 200 };
    assert_eq!(log.last(), Some(&ping));
    Ok(())
}

#[tokio::test]
async fn htpasswd_lets_its_user_in() -> TestResult {
    let _engine = require_docker!();
    let registry = push_and_inspect(RegistryDefinition::default().htpasswd()).await?;
    assert_eq!(ping(&registry, None).await?, 401);
    assert_eq!(ping(&registry, Some(("plimsoll", "wrong"))).await?, 401);
    assert_eq!(ping(&registry, registry.credentials()).await?, 200);
    Ok(())
}

#[tokio::test]
async fn tls_is_trusted_by_its_authority() -> TestResult {
    let _engine = require_docker!();
    let registry = push_and_inspect(RegistryDefinition::default().tls()).await?;
    assert_eq!(ping(&registry, None).await?, 200);
    Ok(())
}

#[tokio::test]
async fn tls_and_htpasswd_go_together() -> TestResult {
    let _engine = require_docker!();
    let registry = push_and_inspect(RegistryDefinition::default().tls().htpasswd()).await?;
    assert_eq!(ping(&registry, None).await?, 401);
    assert_eq!(ping(&registry, registry.credentials()).await?, 200);
    Ok(())
}

#[tokio::test]
async fn tls_is_good_for_the_alias_on_a_network() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("registries").await?;
    let registry = RegistryDefinition::default().tls().network(&network, "images.test");
    let registry = registry.start(&engine).await?;
    let ca = std::fs::read(registry.ca_file().ok_or("no authority")?)?;
    let client = ContainerDefinition::new("client", REGISTRY.reference())
        .cmd(["sleep", "600"])
        .network(&network, ["client"])
        .file("/etc/containers/certs.d/images.test:5000/ca.crt", ca, 0o644)
        .start()
        .await?;
    let list = ["skopeo", "list-tags", "docker://images.test:5000/none"];
    let output = client.exec(list).await?;
    // It got as far as the registry's own answer.
    assert!(output.stderr_text().contains("status code from registry 404"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_manifest_can_be_deleted() -> TestResult {
    let _engine = require_docker!();
    let registry = push_and_inspect(RegistryDefinition::default()).await?;
    registry.skopeo(&["delete", "docker://127.0.0.1:5000/team/app:1.0.0"]).await?;
    assert!(registry.skopeo_inspect("team/app", "1.0.0").await.is_err());
    Ok(())
}

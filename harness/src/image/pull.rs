//! Pulling an image, by one at a time.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::auth::DockerCredentials;
use testcontainers::bollard::query_parameters::CreateImageOptions;

use crate::image::{ImageError, Presence, Wanted, present};
use crate::lock::MachineLock;

/// Pulls the image, unless someone else has done so in the meantime.
pub(crate) async fn missing(docker: &Docker, wanted: &Wanted) -> Result<(), ImageError> {
    let _lock = lock(wanted).await?;
    match present(docker, wanted, &wanted.image).await? {
        Presence::Here => Ok(()),
        Presence::Missing | Presence::Other(_) => pull(docker, wanted).await,
    }
}

/// Pulls the image, unless this process has done so before.
pub(crate) async fn once(docker: &Docker, wanted: &Wanted) -> Result<(), ImageError> {
    static PULLED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let pulled = || PULLED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!("{}{}", wanted.image, wanted.platform);
    let _lock = lock(wanted).await?;
    if !pulled().contains(&key) {
        pull(docker, wanted).await?;
        pulled().insert(key);
    }
    Ok(())
}

async fn lock(wanted: &Wanted) -> Result<MachineLock, ImageError> {
    MachineLock::acquire(&wanted.image).await.map_err(ImageError::lock(wanted))
}

/// A failure stays one: asking for another platform instead would give the test another image
/// than it names.
async fn pull(docker: &Docker, wanted: &Wanted) -> Result<(), ImageError> {
    let (name, tag) = name_and_tag(&wanted.image);
    let options = CreateImageOptions {
        from_image: Some(name.to_owned()),
        // Without a tag the engine pulls all there are.
        tag: Some(tag.to_owned()),
        platform: wanted.platform.0.clone().unwrap_or_default(),
        ..CreateImageOptions::default()
    };
    let mut messages = docker.create_image(Some(options), None, credentials(&wanted.image).await);
    while let Some(message) = messages.next().await {
        message.map_err(|source| ImageError::pull(wanted, source))?;
    }
    Ok(())
}

/// What the user has logged in with. Without a login, or when the helper that keeps it fails
/// (which is how helpers say that they have none), the registry is asked anonymously.
async fn credentials(image: &str) -> Option<DockerCredentials> {
    use docker_credential::DockerCredential::{IdentityToken, UsernamePassword};
    let server = server(image).to_owned();
    let asked = server.clone();
    let login = tokio::task::spawn_blocking(move || docker_credential::get_credential(&asked));
    let serveraddress = Some(server);
    Some(match login.await.ok()?.ok()? {
        IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), serveraddress, ..Default::default() }
        }
        UsernamePassword(user, password) => DockerCredentials {
            username: Some(user),
            password: Some(password),
            serveraddress,
            ..Default::default()
        },
    })
}

/// The registry of an image, as login files call it.
fn server(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "https://index.docker.io/v1/",
    }
}

/// A digest takes the place of the tag; a port is not a tag.
fn name_and_tag(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, digest);
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_engine::FakeEngine;
    use crate::image::OnPlatform;

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(name_and_tag("redis"), ("redis", "latest"));
        assert_eq!(name_and_tag("redis:7"), ("redis", "7"));
        assert_eq!(name_and_tag("localhost:5000/a/b"), ("localhost:5000/a/b", "latest"));
        assert_eq!(name_and_tag("localhost:5000/a/b:1"), ("localhost:5000/a/b", "1"));
    }

    #[test]
    fn a_digest_takes_the_place_of_the_tag() {
        assert_eq!(name_and_tag("a/b@sha256:0123"), ("a/b", "sha256:0123"));
        assert_eq!(name_and_tag("h:1/a:2@sha256:0123"), ("h:1/a:2", "sha256:0123"));
    }

    #[test]
    fn the_login_is_that_of_the_registry() {
        assert_eq!(server("redis"), "https://index.docker.io/v1/");
        assert_eq!(server("me/redis:7"), "https://index.docker.io/v1/");
        assert_eq!(server("ghcr.io/me/redis:7"), "ghcr.io");
        assert_eq!(server("localhost:5000/redis"), "localhost:5000");
    }

    fn wanted(image: &str, platform: Option<&str>) -> Wanted {
        let platform = OnPlatform(platform.map(str::to_owned));
        Wanted { node: "web".to_owned(), image: image.to_owned(), platform }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn edge_image_missing_one_pulls_and_the_others_find_it_there() {
        let seen = block_on(async {
            let fake = FakeEngine::listen("single-flight");
            fake.answer("GET", "/images/", 404, r#"{"message":"no such image"}"#);
            fake.answer("POST", "/images/create", 200, "{}");
            for _ in 0..7 {
                fake.answer("GET", "/images/", 200, "{}");
            }
            let (docker, wanted) = (fake.docker(), wanted("plimsoll-test.invalid/flight:1", None));
            let pulls = (0..8).map(|_| missing(&docker, &wanted));
            futures_util::future::try_join_all(pulls).await.unwrap();
            fake.seen()
        });
        let pulls = seen.iter().filter(|request| *request == "POST /images/create");
        assert_eq!(pulls.count(), 1, "{seen:?}");
    }

    #[test]
    fn always_is_once_per_process() {
        let seen = block_on(async {
            let fake = FakeEngine::listen("always");
            fake.answer("POST", "/images/create", 200, "{}");
            let (docker, wanted) = (fake.docker(), wanted("plimsoll-test.invalid/always:1", None));
            once(&docker, &wanted).await.unwrap();
            once(&docker, &wanted).await.unwrap();
            fake.seen()
        });
        assert_eq!(seen, ["POST /images/create"]);
    }

    #[test]
    fn defect_13_a_failed_pull_does_not_ask_for_another_platform() {
        let (error, seen) = block_on(async {
            let fake = FakeEngine::listen("platform");
            fake.answer("GET", "/images/", 404, r#"{"message":"no such image"}"#);
            let refused = r#"{"message":"no matching manifest for linux/s390x"}"#;
            fake.answer("POST", "/images/create", 404, refused);
            let wanted = wanted("plimsoll-test.invalid/platform:1", Some("linux/s390x"));
            (missing(&fake.docker(), &wanted).await.unwrap_err(), fake.seen())
        });
        let expected = "pull image `plimsoll-test.invalid/platform:1` (linux/s390x) for `web` (";
        assert!(error.to_string().starts_with(expected), "{error}");
        let pulls = seen.iter().filter(|request| *request == "POST /images/create");
        assert_eq!(pulls.count(), 1, "{seen:?}");
    }
}

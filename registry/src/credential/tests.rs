use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::helper::tests::{install, path};
use super::*;

/// A home directory with credential files and helpers in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, content: &str) -> &Self {
        let file = self.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    fn helper(&self, name: &str, script: &str) -> &Self {
        install(self.path(), name, script);
        self
    }

    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let home = self.path().display().to_string();
        let own = [("HOME".to_owned(), home), ("PATH".to_owned(), path(self.path()))];
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::from_pairs(own.into_iter().chain(more))
    }

    fn credentials(&self) -> Credentials {
        Credentials::from_environment(&self.environment(&[]))
    }
}

const DOCKER: &str = ".docker/config.json";
const PODMAN: &str = ".config/containers/auth.json";

fn user(username: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: Secret::new("p") }
}

/// A file that holds the user `username` for `host`.
fn login(host: &str, username: &str) -> String {
    format!(r#"{{"auths":{{"{host}":{{"username":"{username}","password":"p"}}}}}}"#)
}

fn answer(username: &str) -> String {
    format!(r#"echo run >> "$HOME/runs"; printf '{{"Username":"{username}","Secret":"p"}}'"#)
}

async fn find(credentials: &Credentials, host: &str) -> Result<Credential, CredentialError> {
    credentials.find(&host.parse().unwrap(), "acme/web").await
}

/// The message as it is printed: with its sources and the remedy.
fn report(error: &CredentialError) -> String {
    let mut text = format!("failed to {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    format!("{text}\n{}", error.remedy())
}

#[tokio::test]
async fn fixed_credentials_answer_for_all_or_for_one_registry() {
    let anonymous = Credentials::anonymous();
    assert_eq!(find(&anonymous, "ghcr.io").await.unwrap(), Credential::Anonymous);
    let all = Credentials::fixed("me", Secret::new("p"));
    assert_eq!(find(&all, "ghcr.io").await.unwrap(), user("me"));
    let one = Credentials::fixed_for("ghcr.io".parse().unwrap(), user("gh")).or(all);
    assert_eq!(find(&one, "ghcr.io").await.unwrap(), user("gh"));
    assert_eq!(find(&one, "quay.io").await.unwrap(), user("me"));
}

#[test]
fn lookups_can_move_between_threads() {
    fn is_send(_: impl Send) {}
    let host = Host::docker_hub();
    is_send(Credentials::anonymous().find(&host, "library/nginx"));
}

#[tokio::test]
async fn edge_38_no_file_at_all_is_anonymous() {
    let home = Home::new();
    assert_eq!(find(&home.credentials(), "ghcr.io").await.unwrap(), Credential::Anonymous);
    // Neither is a file in the way of a directory.
    home.write(".docker", "");
    assert_eq!(find(&home.credentials(), "ghcr.io").await.unwrap(), Credential::Anonymous);
}

#[tokio::test]
async fn edge_38_the_first_file_that_has_the_registry_answers() {
    let home = Home::new();
    home.write(PODMAN, &login("ghcr.io", "podman"));
    home.write(DOCKER, &login("ghcr.io", "docker"));
    assert_eq!(find(&home.credentials(), "ghcr.io").await.unwrap(), user("podman"));
    home.write(PODMAN, &login("quay.io", "podman"));
    assert_eq!(find(&home.credentials(), "ghcr.io").await.unwrap(), user("docker"));

    home.write("run/containers/auth.json", &login("ghcr.io", "run"));
    home.write("config/config.json", &login("ghcr.io", "directory"));
    let at = |name: &str| home.path().join(name).display().to_string();
    for (name, value, expected) in [
        ("XDG_RUNTIME_DIR", at("run"), "run"),
        ("DOCKER_CONFIG", at("config"), "directory"),
        ("DOCKER_AUTH_CONFIG", login("ghcr.io", "variable"), "variable"),
        ("REGISTRY_AUTH_FILE", at("run/containers/auth.json"), "run"),
    ] {
        let credentials = Credentials::from_environment(&home.environment(&[(name, &value)]));
        assert_eq!(find(&credentials, "ghcr.io").await.unwrap(), user(expected), "{name}");
    }
}

#[tokio::test]
async fn edge_38_a_named_file_is_the_only_one_and_must_exist() {
    let home = Home::new();
    home.write(DOCKER, &login("ghcr.io", "docker"));
    let named = |file: &str| {
        let environment = home.environment(&[("REGISTRY_AUTH_FILE", file)]);
        Credentials::from_environment(&environment)
    };
    assert_eq!(find(&named("/dev/null"), "ghcr.io").await.unwrap(), Credential::Anonymous);
    let error = find(&named("/nowhere/auth.json"), "ghcr.io").await.unwrap_err();
    assert_eq!(
        report(&error),
        "failed to find /nowhere/auth.json, the credential file that REGISTRY_AUTH_FILE names\n\
         log in with `podman login --authfile /nowhere/auth.json`, or unset REGISTRY_AUTH_FILE"
    );
}

#[tokio::test]
async fn edge_39_a_broken_file_is_an_error_that_names_it_and_keeps_its_secrets() {
    let home = Home::new();
    home.write(DOCKER, "{\"auths\":\n {\"ghcr.io\": \"hunter2\"}}");
    let error = find(&home.credentials(), "ghcr.io").await.unwrap_err();
    let file = home.path().join(DOCKER).display().to_string();
    assert_eq!(
        report(&error),
        format!(
            "failed to read credentials from {file}: a value has the wrong type \
             at line 2, column 22\ncorrect {file}, or remove it and log in again"
        )
    );
    assert!(!format!("{error:?}").contains("hunter2"));

    home.write(DOCKER, r#"{"auths":{"ghcr.io":{"auth":"hunter2!"}}}"#);
    let error = find(&home.credentials(), "ghcr.io").await.unwrap_err();
    assert_eq!(
        report(&error),
        format!(
            "failed to read credentials for ghcr.io from {file}: the entry \"ghcr.io\" cannot be \
             used: its \"auth\" is not base64\nlog in again with `ocitag login ghcr.io` or `docker login ghcr.io`"
        )
    );

    let variable = [("DOCKER_AUTH_CONFIG", "/path/to/file")];
    let credentials = Credentials::from_environment(&home.environment(&variable));
    let text = report(&find(&credentials, "ghcr.io").await.unwrap_err());
    assert!(text.contains("the variable DOCKER_AUTH_CONFIG: this is not JSON at line 1"), "{text}");
}

#[tokio::test]
async fn an_unreadable_file_is_an_error_and_not_absence() {
    let home = Home::new();
    home.write(DOCKER, "{}");
    let file = home.path().join(DOCKER);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything; a directory is unreadable for all.
    if fs::read(&file).is_ok() {
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    }
    let error = find(&home.credentials(), "ghcr.io").await.unwrap_err();
    assert!(matches!(error, CredentialError::Unreadable { .. }), "{error:?}");
    assert!(report(&error).contains(DOCKER), "{}", report(&error));
}

#[tokio::test]
async fn edge_38_helpers_go_before_the_file_and_give_way_when_they_have_nothing() {
    let home = Home::new();
    home.helper("own", &answer("own")).helper("all", &answer("all"));
    home.helper("none", "echo 'credentials not found in native keychain'; exit 1");
    home.write(
        DOCKER,
        r#"{"credsStore":"all","credHelpers":{"gcr.io":"own","ghcr.io":"none","a.io":"none"},
        "auths":{"gcr.io":{"username":"file","password":"p"},
        "ghcr.io":{"username":"file","password":"p"}}}"#,
    );
    let credentials = home.credentials();
    for (host, expected) in [
        ("gcr.io", user("own")),
        ("quay.io", user("all")),
        ("ghcr.io", user("file")),
        ("a.io", Credential::Anonymous),
    ] {
        assert_eq!(find(&credentials, host).await.unwrap(), expected, "{host}");
    }
}

#[tokio::test]
async fn edge_37_helpers_know_docker_hub_by_its_old_address() {
    let home = Home::new();
    let echo = r#"read server; printf '{"Username":"%s","Secret":"p"}' "$server""#;
    home.helper("echo", echo).write(DOCKER, r#"{"credsStore":"echo"}"#);
    let credentials = home.credentials();
    let hub = find(&credentials, "docker.io").await.unwrap();
    assert_eq!(hub, user("https://index.docker.io/v1/"));
    let local = find(&credentials, "localhost:5000").await.unwrap();
    assert_eq!(local, user("localhost:5000"));
}

#[tokio::test]
async fn a_helper_runs_once_per_registry_however_many_ask() {
    let home = Home::new();
    home.helper("all", &answer("all")).write(DOCKER, r#"{"credsStore":"all"}"#);
    let credentials = home.credentials();
    let runs = || fs::read_to_string(home.path().join("runs")).unwrap().lines().count();
    let ghcr = "ghcr.io".parse().unwrap();
    let (a, b, c) = tokio::join!(
        credentials.find(&ghcr, "acme/web"),
        credentials.find(&ghcr, "acme/web"),
        credentials.find(&ghcr, "acme/api"),
    );
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [user("all"), user("all"), user("all")]);
    assert_eq!(runs(), 1);
    find(&credentials, "quay.io").await.unwrap();
    assert_eq!(runs(), 2);
    credentials.forget();
    find(&credentials, "quay.io").await.unwrap();
    assert_eq!(runs(), 3);
}

#[tokio::test]
async fn what_was_read_stays_until_it_is_forgotten() {
    let home = Home::new();
    home.write(DOCKER, &login("ghcr.io", "old"));
    let credentials = home.credentials();
    assert_eq!(find(&credentials, "ghcr.io").await.unwrap(), user("old"));
    home.write(DOCKER, &login("ghcr.io", "new"));
    assert_eq!(find(&credentials, "ghcr.io").await.unwrap(), user("old"));
    credentials.forget();
    assert_eq!(find(&credentials, "ghcr.io").await.unwrap(), user("new"));
}

#[tokio::test]
async fn edge_38_a_missing_or_failing_helper_is_named_with_the_file_that_asks_for_it() {
    let home = Home::new();
    let file = home.path().join(DOCKER).display().to_string();
    home.write(DOCKER, r#"{"credHelpers":{"ghcr.io":"gone"},"credsStore":"broken"}"#);
    home.helper("broken", "echo 'no agent' >&2; exit 1");
    let credentials = home.credentials();
    assert_eq!(
        report(&find(&credentials, "ghcr.io").await.unwrap_err()),
        format!(
            "failed to get credentials for ghcr.io from docker-credential-gone, which {file} \
             names: there is no such program on PATH\n\
             install docker-credential-gone, or remove its name from {file} and log in again"
        )
    );
    assert_eq!(
        report(&find(&credentials, "quay.io").await.unwrap_err()),
        format!(
            "failed to get credentials for quay.io from docker-credential-broken, which {file} \
             names: it failed (exit status: 1): no agent\n\
             see what `printf %s quay.io | docker-credential-broken get` says"
        )
    );
    home.write(DOCKER, r#"{"credsStore":"../hunter2"}"#);
    let text = report(&find(&home.credentials(), "ghcr.io").await.unwrap_err());
    assert!(text.contains("\"credsStore\"") && text.contains(&file), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn edge_39_credentials_do_not_print_their_secrets() {
    let home = Home::new();
    home.write(DOCKER, r#"{"auths":{"a.io":{"auth":"bWU6aHVudGVyMg=="}}}"#);
    let credentials = home.credentials().or(Credentials::fixed("me", Secret::new("hunter2")));
    let found = find(&credentials, "a.io").await.unwrap();
    let text = format!("{credentials:?} {found:?}");
    assert!(!text.contains("hunter2") && !text.contains("bWU6aHVudGVyMg"), "{text}");
}

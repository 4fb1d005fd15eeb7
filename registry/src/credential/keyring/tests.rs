use std::error::Error as _;
use std::fs;

use tempfile::TempDir;

use super::*;
use crate::credential::helper::tests::{KEEPING, install, path};
use crate::credential::{Credential, Credentials};

/// A home directory with a helper that keeps what it is given, named `keeping`.
struct Home(TempDir);

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        install(home.0.path(), "keeping", KEEPING);
        fs::create_dir(home.0.path().join(".docker")).unwrap();
        if !config.is_empty() {
            fs::write(home.config(), config).unwrap();
        }
        home
    }

    fn config(&self) -> PathBuf {
        self.0.path().join(".docker/config.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.config()).unwrap_or_default()
    }

    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let own = [("HOME", self.0.path().display().to_string()), ("PATH", path(self.0.path()))];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Environment::from_pairs(own.into_iter().chain(more))
    }

    fn keyring(&self) -> Keyring {
        Keyring::from_environment(&self.environment(&[])).unwrap()
    }

    async fn store(&self, on: &str) -> Result<Keeper, KeyringError> {
        self.keyring().store(&host(on), "me", &Secret::new("hunter:2")).await
    }

    async fn find(&self, on: &str) -> Credential {
        let credentials = Credentials::from_environment(&self.environment(&[]));
        credentials.find(&host(on), "acme/web").await.unwrap()
    }

    /// What the helper was asked to do so far.
    fn verbs(&self) -> Vec<String> {
        let verbs = fs::read_to_string(self.0.path().join("verbs")).unwrap_or_default();
        verbs.lines().map(str::to_owned).collect()
    }
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

fn me() -> Credential {
    Credential::Basic { username: "me".to_owned(), password: Secret::new("hunter:2") }
}

fn by_helper() -> Keeper {
    Keeper::Helper { program: "docker-credential-keeping".to_owned() }
}

/// The message as it is printed, with its causes.
fn report(error: &KeyringError) -> String {
    let mut text = format!("failed to {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_login_in_the_file_is_found_until_it_is_erased() {
    for (on, key) in
        [("ghcr.io", "ghcr.io"), ("[::1]:5000", "[::1]:5000"), ("docker.io", auth_key::DOCKER_HUB)]
    {
        let home = Home::new("");
        assert_eq!(home.store(on).await.unwrap(), Keeper::File);
        let entry = format!("{}:{{\"auth\":\"bWU6aHVudGVyOjI=\"}}", serde_json::json!(key));
        assert!(home.text().contains(&entry), "{}", home.text());
        assert_eq!(home.find(on).await, me());
        assert!(home.keyring().erase(&host(on)).await.unwrap());
        assert_eq!(home.find(on).await, Credential::Anonymous);
        assert!(!home.keyring().erase(&host(on)).await.unwrap());
    }
}

#[tokio::test]
async fn not_being_logged_in_writes_nothing() {
    let home = Home::new("");
    assert!(!home.keyring().erase(&host("ghcr.io")).await.unwrap());
    assert!(!home.config().exists());
}

#[tokio::test]
async fn edge_38_the_helper_of_the_registry_goes_before_the_one_for_all_and_the_file() {
    for config in [
        r#"{"credsStore":"keeping","auths":{"ghcr.io":{"auth":"b2xkOnA="}}}"#,
        r#"{"credHelpers":{"ghcr.io":"keeping"},"credsStore":"gone"}"#,
    ] {
        let home = Home::new(config);
        assert_eq!(home.store("ghcr.io").await.unwrap(), by_helper());
        assert!(home.text().contains(r#""auths":{"ghcr.io":{}}"#), "{}", home.text());
        assert_eq!(home.find("ghcr.io").await, me());
        assert!(home.keyring().erase(&host("ghcr.io")).await.unwrap());
        assert_eq!(home.find("ghcr.io").await, Credential::Anonymous);
        assert!(home.text().contains(r#""auths":{}"#), "{}", home.text());
        assert!(!home.keyring().erase(&host("ghcr.io")).await.unwrap());
    }
    // An empty name is no helper.
    let home = Home::new(r#"{"credHelpers":{"ghcr.io":""},"credsStore":"keeping"}"#);
    assert_eq!(home.store("ghcr.io").await.unwrap(), Keeper::File);
    assert_eq!(home.verbs(), [""; 0]);
}

#[tokio::test]
async fn edge_37_helpers_keep_docker_hub_under_its_old_address() {
    let home = Home::new(r#"{"credsStore":"keeping"}"#);
    home.store("docker.io").await.unwrap();
    let kept = home.0.path().join("kept/https:__index.docker.io_v1_");
    let sent = fs::read_to_string(&kept).unwrap();
    let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let server = "https://index.docker.io/v1/";
    let expected = serde_json::json!({"ServerURL": server, "Username": "me", "Secret": "hunter:2"});
    assert_eq!(sent, expected);
    assert!(home.text().contains(r#""https://index.docker.io/v1/":{}"#), "{}", home.text());
    assert!(home.keyring().erase(&Host::docker_hub()).await.unwrap());
    assert!(!kept.exists());
}

#[tokio::test]
async fn every_form_of_the_registry_is_erased_and_no_other_registry() {
    let home = Home::new(
        r#"{"auths":{"reg:5000":{},"https://reg:5000":{},"http://reg:5000/v1/":{},"reg":{},
        "https://reg:5000/v2/":{},"reg:5000/acme":{},"https://index.docker.io/v1/":{}}}"#,
    );
    assert!(home.keyring().erase(&host("reg:5000")).await.unwrap());
    let rest = "{\"auths\":{\"reg\":{},\"reg:5000/acme\":{},\"https://index.docker.io/v1/\":{}}}";
    assert_eq!(home.text(), rest);

    let home = Home::new(r#"{"credsStore":"keeping"}"#);
    let helper = Helper::new("keeping").unwrap();
    let environment = home.environment(&[]);
    for server in ["https://reg:5000", "reg:5000", "reg"] {
        helper.store(server, "me", &Secret::new("p"), &environment).await.unwrap();
    }
    assert!(home.keyring().erase(&host("reg:5000")).await.unwrap());
    assert_eq!(helper.list(&environment).await.unwrap(), Some(vec!["reg".to_owned()]));
}

#[tokio::test]
async fn a_helper_that_cannot_list_is_asked_to_erase_every_form() {
    let home = Home::new(r#"{"credsStore":"mute"}"#);
    let not_found = "echo 'credentials not found'; exit 1";
    let script = |found: &str| {
        format!(
            "read server; echo \"$1 $server\" >> \"$HOME/verbs\"; test $1 = erase || exit 1
            case $server in {found}) ;; *) {not_found} ;; esac"
        )
    };
    install(home.0.path(), "mute", &script("https://reg"));
    assert!(home.keyring().erase(&host("reg")).await.unwrap());
    assert_eq!(home.verbs(), ["list ", "erase reg", "erase https://reg", "erase http://reg"]);
    install(home.0.path(), "mute", &script("nothing"));
    assert!(!home.keyring().erase(&host("reg")).await.unwrap());

    install(home.0.path(), "mute", "echo locked >&2; exit 1");
    fs::write(home.config(), r#"{"credsStore":"mute","auths":{"reg":{"auth":"bWU6cA=="}}}"#)
        .unwrap();
    let error = home.keyring().erase(&host("reg")).await.unwrap_err();
    let file = home.config().display().to_string();
    let expected = format!(
        "failed to erase the credentials for reg by docker-credential-mute, which {file} names: \
         it failed (exit status: 1): locked"
    );
    assert_eq!(report(&error), expected);
    assert_eq!(error.remedy(), "see what `docker-credential-mute list` says");
    assert_eq!(home.text(), r#"{"credsStore":"mute","auths":{}}"#);
}

#[tokio::test]
async fn edge_39_a_helper_that_fails_leaves_the_file_and_the_secret_unsaid() {
    let config = r#"{"credsStore":"broken"}"#;
    let home = Home::new(config);
    install(home.0.path(), "broken", "cat >&2; exit 1");
    let error = home.store("ghcr.io").await.unwrap_err();
    let text = format!("{} {error:?} {}", report(&error), error.remedy());
    assert!(text.contains("store the credentials for ghcr.io"), "{text}");
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(home.text(), config);

    let config = r#"{"credsStore":"gone"}"#;
    let home = Home::new(config);
    let error = home.store("ghcr.io").await.unwrap_err();
    assert!(error.remedy().starts_with("install docker-credential-gone"), "{}", error.remedy());
    assert_eq!(home.text(), config);
    let home = Home::new(r#"{"credsStore":"../evil"}"#);
    assert!(matches!(home.store("ghcr.io").await, Err(KeyringError::Read(_))));
}

#[tokio::test]
async fn a_user_name_with_a_colon_is_refused() {
    let home = Home::new("");
    for bad in ["", "a:b"] {
        let stored = home.keyring().store(&host("ghcr.io"), bad, &Secret::new("p")).await;
        assert!(matches!(stored, Err(KeyringError::Username(_))), "{stored:?}");
    }
    assert!(!home.config().exists());
}

#[tokio::test]
async fn an_entry_that_would_be_found_first_gives_way() {
    let home = Home::new(r#"{"auths":{"GHCR.io":{"auth":"b2xkOnA="},"https://ghcr.io":{}}}"#);
    home.store("ghcr.io").await.unwrap();
    assert_eq!(home.find("ghcr.io").await, me());
    assert!(home.text().contains("https://ghcr.io"), "{}", home.text());
}

#[test]
fn edge_38_the_file_is_docker_s_unless_a_variable_names_one() {
    let place = |pairs: &[(&str, &str)]| {
        let environment = Environment::from_pairs(pairs.iter().copied());
        Keyring::from_environment(&environment).map(|keyring| keyring.path().to_owned())
    };
    let home = ("HOME", "/h");
    assert_eq!(place(&[home]).unwrap(), Path::new("/h/.docker/config.json"));
    assert_eq!(place(&[("DOCKER_CONFIG", "/d")]).unwrap(), Path::new("/d/config.json"));
    let only = ("REGISTRY_AUTH_FILE", "/only.json");
    assert_eq!(place(&[home, ("DOCKER_CONFIG", "/d"), only]).unwrap(), Path::new("/only.json"));
    assert!(matches!(place(&[]), Err(KeyringError::NoPlace)));
}

#[tokio::test]
async fn credentials_that_go_before_this_place_are_known() {
    let home = Home::new("");
    home.store("ghcr.io").await.unwrap();
    let keyring = home.keyring();
    assert_eq!(keyring.elsewhere(&host("ghcr.io")).await.unwrap(), None);
    let content = r#"{"auths":{"ghcr.io":{"auth":"bWU6cA=="}}}"#;
    let environment = home.environment(&[("DOCKER_AUTH_CONFIG", content)]);
    let keyring = Keyring::from_environment(&environment).unwrap();
    let variable = Some("the variable DOCKER_AUTH_CONFIG".to_owned());
    assert_eq!(keyring.elsewhere(&host("ghcr.io")).await.unwrap(), variable);
    assert_eq!(keyring.elsewhere(&host("quay.io")).await.unwrap(), None);
}

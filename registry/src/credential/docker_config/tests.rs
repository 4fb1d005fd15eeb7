use proptest::prelude::*;

use super::*;

fn config(json: &str) -> DockerConfig {
    parse_docker_config(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn entry(json: &str, host: &str, path: &str) -> Result<Option<Credential>, EntryError> {
    config(json).entry(&host.parse().unwrap(), path)
}

fn basic(username: &str, password: &str) -> Option<Credential> {
    Some(Credential::Basic { username: username.to_owned(), password: Secret::new(password) })
}

#[test]
fn edge_38_auth_is_user_and_password_and_the_password_may_hold_colons() {
    for (plain, username, password) in [
        ("me:pass", "me", "pass"),
        ("me:pa:ss:", "me", "pa:ss:"),
        ("me:", "me", ""),
        ("AWS:pass\0\0", "AWS", "pass"),
    ] {
        let auth = BASE64.encode(plain);
        for auth in [auth.as_str(), auth.trim_end_matches('='), &format!("{auth}\\n")] {
            let json = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(entry(&json, "ghcr.io", "a/b"), Ok(basic(username, password)), "{json}");
        }
    }
}

#[test]
fn edge_29_tokens_go_before_passwords() {
    let fields = [
        (r#""username":"me","password":"plain""#, basic("me", "plain")),
        (r#""auth":"bWU6Y29kZWQ=""#, basic("me", "coded")),
        (r#""identitytoken":"idt""#, Some(Credential::IdentityToken(Secret::new("idt")))),
        (r#""registrytoken":"reg""#, Some(Credential::RegistryToken(Secret::new("reg")))),
    ];
    for last in 0..fields.len() {
        let written: Vec<&str> = fields[..=last].iter().map(|(field, _)| *field).collect();
        let json = format!(r#"{{"auths":{{"ghcr.io":{{{}}}}}}}"#, written.join(","));
        assert_eq!(entry(&json, "ghcr.io", "a/b").as_ref(), Ok(&fields[last].1), "{json}");
    }
}

#[test]
fn edge_38_an_entry_without_a_secret_counts_as_absent() {
    for empty in ["{}", "null", r#"{"auth":""}"#, r#"{"auth":null,"email":"me@x"}"#] {
        let json = format!(r#"{{"auths":{{"ghcr.io":{empty}}}}}"#);
        assert_eq!(entry(&json, "ghcr.io", "a/b"), Ok(None), "{json}");
        let json =
            format!(r#"{{"auths":{{"ghcr.io/a":{empty},"ghcr.io":{{"auth":"bWU6Y29kZWQ="}}}}}}"#);
        assert_eq!(entry(&json, "ghcr.io", "a/b"), Ok(basic("me", "coded")), "{json}");
    }
    for empty in ["", " \n", "{}", r#"{"auths":null,"credHelpers":null,"credsStore":null}"#] {
        assert_eq!(entry(empty, "ghcr.io", "a/b"), Ok(None), "{empty}");
    }
}

#[test]
fn edge_38_namespaces_choose_between_entries_of_one_registry() {
    let json = r#"{"auths":{
        "quay.io": {"username":"all","password":"p"},
        "quay.io/acme": {"username":"acme","password":"p"},
        "quay.io/acme/web": {"username":"web","password":"p"}
    }}"#;
    for (path, username) in [("acme/web", "web"), ("acme/api", "acme"), ("other/web", "all")] {
        assert_eq!(entry(json, "quay.io", path), Ok(basic(username, "p")), "{path}");
    }
}

#[test]
fn edge_38_a_registry_s_own_helper_goes_before_the_one_for_all() {
    let json = r#"{"credsStore":"all","credHelpers":{
        "gcr.io":"gcloud", "https://ghcr.io":"gh", "quay.io/acme":"never", "plain.io":"",
        "https://index.docker.io/v1/":"hub", "docker.io":"alias"
    }}"#;
    for (host, helper) in [
        ("gcr.io", Some(("credHelpers", "gcloud"))),
        ("ghcr.io", Some(("credHelpers", "gh"))),
        ("docker.io", Some(("credHelpers", "hub"))),
        ("quay.io", Some(("credsStore", "all"))),
        ("plain.io", None),
    ] {
        assert_eq!(config(json).helper(&host.parse().unwrap()), helper, "{host}");
    }
    assert_eq!(config(r#"{"credsStore":""}"#).helper(&Host::docker_hub()), None);
    assert_eq!(config("{}").helper(&Host::docker_hub()), None);
}

#[test]
fn an_entry_that_cannot_be_used_is_an_error_only_for_its_registry() {
    for (fields, problem) in [
        (r#""auth":"hunter2!""#, "is not base64"),
        (r#""auth":"aHVudGVyMg==""#, "not the base64 form of user:password"),
        (r#""auth":"Omh1bnRlcjI=""#, "not the base64 form of user:password"),
        (r#""auth":"/zpodW50ZXIy""#, "not UTF-8"),
        (r#""password":"hunter2""#, "a password and no username"),
        (r#""username":"","password":"hunter2""#, "a password and no username"),
    ] {
        let json = format!(r#"{{"auths":{{"bad.io":{{{fields}}}}}}}"#);
        let error = entry(&json, "bad.io", "a/b").unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(problem) && text.contains("bad.io"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
        assert_eq!(entry(&json, "good.io", "a/b"), Ok(None));
    }
}

#[test]
fn edge_39_what_is_malformed_is_told_by_line_and_column_and_never_quoted() {
    for (json, problem, line) in [
        ("{\n\"auths\": \"hunter2\"}", "wrong type", 2),
        ("{\"auths\": {\"a.io\":\n{\"auth\": {\"hunter2\": 1}}}}", "wrong type", 2),
        ("{\"auths\": {\"a.io\": \"hunter2\"}}", "wrong type", 1),
        ("{\"auths\": {\"a.io\": {\"password\": 4815162342}}}", "wrong type", 1),
        ("{\"auths\":\n\n{\"hunter2", "ends too early", 3),
        ("hunter2", "not JSON", 1),
        ("{\"auths\": {}} hunter2", "not JSON", 1),
    ] {
        let error = parse_docker_config(json.as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(problem), "{text}");
        assert!(error.to_string().contains(&format!("line {line}, column ")), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("4815162342"), "{text}");
    }
}

/// Anything that could stand in a credential file, with a secret somewhere in it.
fn broken_config() -> impl Strategy<Value = Vec<u8>> {
    let whole = r#"{"auths":{"ghcr.io":{"auth":"hunter2hunter2","username":"u",
        "password":"hunter2","identitytoken":"hunter2","registrytoken":"hunter2"},
        "docker.io":{}},"credHelpers":{"ghcr.io":"x"},"credsStore":"y"}"#;
    let cut = (0..whole.len(), any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = whole.as_bytes().to_vec();
        bytes[at] = byte;
        bytes
    });
    let value = prop_oneof![
        Just("\"hunter2\"".to_owned()),
        Just("[\"hunter2\"]".to_owned()),
        Just("{\"hunter2\":\"hunter2\"}".to_owned()),
        Just("null".to_owned()),
        "[ -~]{0,12}hunter2[ -~]{0,12}",
    ];
    let field = prop_oneof!["auth", "username", "password", "identitytoken", "registrytoken"];
    let typed = (field, value).prop_map(|(field, value)| {
        format!(r#"{{"auths":{{"ghcr.io":{{"{field}":{value}}}}}}}"#).into_bytes()
    });
    prop_oneof![cut, typed, proptest::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn edge_39_no_file_makes_it_panic_or_tell_a_secret(bytes in broken_config()) {
        let said = match parse_docker_config(&bytes) {
            Err(error) => format!("{error} {error:?}"),
            Ok(config) => {
                // The helper's name is no secret; what an entry holds is.
                let _ = config.helper(&"ghcr.io".parse().unwrap());
                let found = config.entry(&"ghcr.io".parse().unwrap(), "acme/web");
                match found {
                    Err(error) => format!("{error} {error:?}"),
                    Ok(Some(Credential::Basic { password, .. })) => format!("{password:?}"),
                    Ok(credential) => format!("{credential:?}"),
                }
            }
        };
        prop_assert!(!said.contains("hunter2"), "{said}");
    }
}

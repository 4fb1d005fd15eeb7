//! What has to hold of credential files, whatever is in them.

use serde_json::Value;

use super::Credential;
use super::auth_file::{with_entry, without_entries};
use super::docker_config::parse_docker_config;
use crate::fuzzing::{check_message, head};
use crate::host::Host;
use crate::secret::Secret;

/// Names of a credential file whose values are secrets.
const SECRET: [&str; 4] = ["auth", "password", "identitytoken", "registrytoken"];

/// `HOST PATH` in the first line, a credential file in the rest: no secret that is found for the
/// repository shows in what is printed of the file, or of itself.
pub fn docker_config(data: &[u8]) {
    let (first, json) = head(data);
    let (host, path) = first.split_once(' ').unwrap_or((&first, ""));
    let Ok(host) = host.parse::<Host>() else { return };
    let config = match parse_docker_config(json) {
        Ok(config) => config,
        Err(error) => {
            // There is room for a place and a reason, and for nothing of the file.
            assert!(error.to_string().len() < 100);
            return;
        }
    };
    let _ = config.helper(&host);
    let credential = match config.entry(&host, path) {
        Ok(Some(credential)) => credential,
        Ok(None) => return,
        Err(error) => return check_message(&error),
    };
    let (Credential::Basic { password: secret, .. }
    | Credential::IdentityToken(secret)
    | Credential::RegistryToken(secret)) = &credential
    else {
        return;
    };
    let public = public(json, &credential);
    // What reads as a word of the structure, or is no secret elsewhere, shows in any case.
    let is_telling = |secret: &str| {
        secret.len() >= 8 && secret.bytes().any(|b| b.is_ascii_digit()) && !public.contains(secret)
    };
    if is_telling(secret.expose()) {
        let shown = format!("{config:?} {credential:?}");
        assert!(!shown.contains(secret.expose()), "{shown}");
    }
}

/// Everything in a credential file that is no secret, as it is printed.
fn public(json: &[u8], credential: &Credential) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    found.push(name.clone());
                    if !SECRET.contains(&name.as_str()) || !value.is_string() {
                        collect(value, found);
                    }
                }
            }
            Value::Array(elements) => elements.iter().for_each(|value| collect(value, found)),
            Value::String(text) => found.push(text.clone()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice(json) {
        collect(&value, &mut found);
    }
    if let Credential::Basic { username, .. } = credential {
        found.push(username.clone());
    }
    format!("{found:?}")
}

/// The key of an entry and a secret in the first two lines, a credential file in the rest: the
/// entry is written and removed, and nothing else of the file changes.
pub fn auth_file(data: &[u8]) {
    let (key, rest) = head(data);
    let (auth, text) = head(rest);
    let Ok(text) = str::from_utf8(text) else { return };
    // Numbers that are too large for a value are still legal.
    let Ok(before) = serde_json::from_str::<Value>(text) else { return };
    if parse_docker_config(text.as_bytes()).is_err() || !before.is_object() {
        return;
    }
    let with = with_entry(text, &key, Some(&Secret::new(&auth)), |_| false);
    parse_docker_config(with.as_bytes()).expect("it is still a credential file");
    let after: Value = serde_json::from_str(&with).expect("it is still JSON");
    assert_eq!(after["auths"][&key]["auth"], auth.as_str());
    assert_eq!(rest_of(&after, &key), rest_of(&before, &key));
    let without = without_entries(&with, |name| name == key);
    let after: Value = serde_json::from_str(&without).expect("it is still JSON");
    assert!(after["auths"].get(&key).is_none(), "{without}");
    assert_eq!(rest_of(&after, &key), rest_of(&before, &key));
}

/// A file without the entry of `key`, and `auths` whether it was there or not.
fn rest_of(file: &Value, key: &str) -> Value {
    let mut rest = file.clone();
    let auths = rest.as_object_mut().expect("an object").entry("auths").or_insert(Value::Null);
    match auths.as_object_mut() {
        Some(auths) => drop(auths.remove(key)),
        None => *auths = Value::Object(serde_json::Map::new()),
    }
    rest
}

//! The keys under which credential files name a registry.

use std::cmp::Reverse;

use crate::host::Host;

/// The key that `docker login` writes for Docker Hub, and the server that helpers know it by.
pub(super) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The key under which a login to `host` is kept, and the server that helpers know it by.
pub(super) fn of(host: &Host) -> String {
    if host.is_docker_hub() { DOCKER_HUB.to_owned() } else { host.to_string() }
}

/// Whether a login to `host` may be kept under `key`: in any form that was ever written, and
/// for Docker Hub also the tokens of its web login.
pub(super) fn is_of(key: &str, host: &Host) -> bool {
    let is_hub_token = host.is_docker_hub() && key.starts_with(DOCKER_HUB);
    is_hub_token || rank(key, host, "").is_some()
}

/// Whether a lookup for `host` finds `key` no later than the key of [`of`].
pub(super) fn is_rival(key: &str, host: &Host) -> bool {
    let own = of(host);
    key != own && rank(key, host, "").is_some_and(|rival| Some(rival) <= rank(&own, host, ""))
}

/// What `docker logout` asks helpers to erase: the forms that are kept where nobody can list
/// what is there.
pub(super) fn forms(host: &Host) -> Vec<String> {
    let mut forms = vec![of(host)];
    if host.is_docker_hub() {
        forms.extend(["access-token", "refresh-token"].map(|token| format!("{DOCKER_HUB}{token}")));
    } else {
        forms.extend([format!("https://{host}"), format!("http://{host}")]);
    }
    forms
}

/// How well a key fits: the least one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Length of the namespace in the key, the longest first; 0 for a whole registry.
    namespace: Reverse<usize>,
    form: Form,
}

/// How a key writes a whole registry, from what is written today to what once was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// `host[:port]`; for Docker Hub, what `docker login` writes.
    Canonical,
    /// An alias of Docker Hub: `docker.io`, which podman writes, `index.docker.io`...
    Alias,
    /// `https://host`
    Url,
    /// `https://host/v1/`
    Version1,
    /// `https://host/v2/`
    Version2,
    /// Any other URL on the host.
    OtherUrl,
}

/// How well `key` names the repository at `path` of `host`; `None` when it does not.
///
/// Docker and podman both match a URL by its host alone. Only podman knows namespaces, and
/// they have no scheme.
pub(super) fn rank(key: &str, host: &Host, path: &str) -> Option<Rank> {
    if host.is_docker_hub() && key == DOCKER_HUB {
        return Some(whole(Form::Canonical));
    }
    let url = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let (name, rest) = split(url.unwrap_or(key));
    if name.parse::<Host>().as_ref() != Ok(host) {
        return None;
    }
    let inner = rest.trim_end_matches('/');
    let form = match (inner, url.is_some()) {
        ("", false) if host.is_docker_hub() => Form::Alias,
        ("", false) => Form::Canonical,
        ("", true) => Form::Url,
        // Without a scheme, `v1` could also be a namespace; only the API's root ends in a slash.
        ("v1", is_url) if is_url || rest == "v1/" => Form::Version1,
        ("v2", is_url) if is_url || rest == "v2/" => Form::Version2,
        // `docker login` keeps tokens of Hub's web login beside the credential, as
        // `https://index.docker.io/v1/access-token`: no password of the registry.
        (_, true) if host.is_docker_hub() => return None,
        (_, true) => Form::OtherUrl,
        (namespace, false) => return in_namespace(path, namespace),
    };
    Some(whole(form))
}

fn split(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or((key, ""))
}

fn whole(form: Form) -> Rank {
    Rank { namespace: Reverse(0), form }
}

fn in_namespace(path: &str, namespace: &str) -> Option<Rank> {
    let rest = path.strip_prefix(namespace)?;
    let inside = rest.is_empty() || rest.starts_with('/');
    inside.then_some(Rank { namespace: Reverse(namespace.len()), form: Form::Canonical })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(keys: &[&'a str], host: &str, path: &str) -> Option<&'a str> {
        let host = host.parse().unwrap();
        let ranked = keys.iter().filter_map(|key| Some((rank(key, &host, path)?, *key)));
        ranked.min().map(|(_, key)| key)
    }

    #[test]
    fn edge_38_every_form_of_a_registry_matches_and_the_exact_one_wins() {
        let forms = [
            "reg.example.com:5000",
            "https://reg.example.com:5000",
            "https://reg.example.com:5000/v1/",
            "https://reg.example.com:5000/v2/",
            "https://reg.example.com:5000/service/token",
        ];
        for start in 0..forms.len() {
            let mut keys = forms[start..].to_vec();
            keys.reverse();
            assert_eq!(best(&keys, "reg.example.com:5000", "web"), Some(forms[start]));
        }
        for key in ["reg.example.com:5000/", "http://reg.example.com:5000", "REG.example.com:5000"]
        {
            assert_eq!(best(&[key], "reg.example.com:5000", "web"), Some(key));
        }
    }

    #[test]
    fn edge_38_another_host_or_port_never_matches() {
        for key in [
            "reg.example.com",
            "reg.example.com:5001",
            "example.com:5000",
            "https://evil.com/reg.example.com:5000",
            "https://me:pass@reg.example.com:5000",
            "*.example.com:5000",
            "",
            "/",
        ] {
            assert_eq!(best(&[key], "reg.example.com:5000", "web"), None, "{key}");
        }
    }

    #[test]
    fn edge_38_the_longest_namespace_wins_on_path_boundaries() {
        let keys = ["quay.io", "quay.io/acme", "quay.io/acme/web", "quay.io/acme/we"];
        assert_eq!(best(&keys, "quay.io", "acme/web"), Some("quay.io/acme/web"));
        assert_eq!(best(&keys, "quay.io", "acme/web/base"), Some("quay.io/acme/web"));
        assert_eq!(best(&keys, "quay.io", "acme/website"), Some("quay.io/acme"));
        assert_eq!(best(&keys, "quay.io", "acmecorp/web"), Some("quay.io"));
        assert_eq!(best(&keys[1..], "quay.io", "acmecorp/web"), None);
        assert_eq!(best(&["quay.io/v1"], "quay.io", "v1/web"), Some("quay.io/v1"));
        assert_eq!(best(&["quay.io/v1"], "quay.io", "web"), None);
        assert_eq!(best(&["quay.io/v1/"], "quay.io", "web"), Some("quay.io/v1/"));
    }

    #[test]
    fn edge_37_docker_hub_is_known_by_docker_s_key_and_its_aliases() {
        let keys = [
            "https://index.docker.io/v1/access-token",
            "registry-1.docker.io",
            "index.docker.io",
            "docker.io",
            DOCKER_HUB,
        ];
        assert_eq!(best(&keys, "docker.io", "library/nginx"), Some(DOCKER_HUB));
        assert_eq!(best(&keys[..4], "docker.io", "library/nginx"), Some("docker.io"));
        assert_eq!(best(&keys[..2], "docker.io", "library/nginx"), Some("registry-1.docker.io"));
        assert_eq!(best(&keys[..1], "docker.io", "library/nginx"), None);
        assert_eq!(best(&["docker.io/acme"], "docker.io", "acme/web"), Some("docker.io/acme"));
    }

    #[test]
    fn a_login_is_known_by_every_form_of_its_registry_and_by_no_other() {
        let host = "reg.example.com:5000".parse().unwrap();
        for form in forms(&host).iter().chain([&"reg.example.com:5000/v2/".to_owned()]) {
            assert!(is_of(form, &host), "{form}");
        }
        for other in ["reg.example.com", "reg.example.com:5000/acme", "example.com"] {
            assert!(!is_of(other, &host), "{other}");
        }
        assert!(is_rival("REG.example.com:5000", &host));
        for behind in ["reg.example.com:5000", "https://reg.example.com:5000", "a"] {
            assert!(!is_rival(behind, &host), "{behind}");
        }
        let hub = Host::docker_hub();
        assert_eq!(of(&hub), DOCKER_HUB);
        for form in forms(&hub).iter().map(String::as_str).chain(["docker.io", "index.docker.io"]) {
            assert!(is_of(form, &hub) && !is_of(form, &host), "{form}");
            assert!(!is_rival(form, &hub), "{form}");
        }
    }
}

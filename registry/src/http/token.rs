//! Tokens: what the issuer is asked, and what it answers.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::challenge::Bearer;
use super::request::Request;
use crate::credential::Credential;
use crate::secret::Secret;

/// The name under which issuers know this client.
const CLIENT_ID: &str = "plimsoll";

/// How long a token lives if its issuer does not say, by the [token specification][spec].
///
/// [spec]: https://distribution.github.io/distribution/spec/auth/token/
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest that a token is given up before its end.
const LONGEST_MARGIN: Duration = Duration::from_secs(30);

/// A token for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) secret: Secret,
    /// How long it is of use, from when it was asked for: its lifetime less a margin for the
    /// way and for the issuer's clock.
    pub(super) use_for: Duration,
}

/// Why a realm is not asked for a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RealmError {
    /// It is no URL of a server.
    #[error("the registry names {0:?} as the issuer of its tokens, which is no URL")]
    NoUrl(String),
    /// Credentials and tokens would travel in the clear.
    #[error("the registry names {0} as the issuer of its tokens, which is not encrypted")]
    Plain(String),
}

/// What an issuer may answer.
#[derive(Deserialize)]
struct Body {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<serde_json::Value>,
}

/// The URL of the issuer in a challenge. `may_be_plain` says for which hosts http will do.
pub(super) fn issuer(
    bearer: &Bearer,
    may_be_plain: impl Fn(&Url) -> bool,
) -> Result<Url, RealmError> {
    let no_url = || RealmError::NoUrl(super::text::printable(&bearer.realm));
    let mut url: Url = bearer.realm.parse().map_err(|_| no_url())?;
    if url.host_str().is_none() || !matches!(url.scheme(), "http" | "https") {
        return Err(no_url());
    }
    if url.scheme() == "http" && !may_be_plain(&url) {
        return Err(RealmError::Plain(super::text::redacted(&url)));
    }
    // A user and password in the realm would go out in place of our own.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(url)
}

/// `GET realm?service=...&scope=...`, the way that every issuer knows.
pub(super) fn get(purpose: &str, mut issuer: Url, bearer: &Bearer, scope: &str) -> Request {
    {
        let mut pairs = issuer.query_pairs_mut();
        if let Some(service) = &bearer.service {
            pairs.append_pair("service", service);
        }
        pairs.append_pair("client_id", CLIENT_ID);
        // Issuers that take several in one parameter also take several parameters.
        for scope in scope.split(' ').filter(|scope| !scope.is_empty()) {
            pairs.append_pair("scope", scope);
        }
    }
    Request::new(Method::GET, issuer, purpose).with_limit(1 << 20)
}

/// The [OAuth2 way][oauth] to trade an identity token for one for `scope`.
///
/// [oauth]: https://distribution.github.io/distribution/spec/auth/oauth/
pub(super) fn refresh(
    purpose: &str,
    issuer: Url,
    bearer: &Bearer,
    scope: &str,
    identity: &Secret,
) -> Request {
    let mut form = String::from("grant_type=refresh_token");
    let service = bearer.service.as_deref().unwrap_or_default();
    let fields = [
        ("service", service),
        ("client_id", CLIENT_ID),
        ("scope", scope),
        ("refresh_token", identity.expose()),
    ];
    for (name, value) in fields {
        form.push('&');
        form.push_str(name);
        form.push('=');
        encode(&mut form, value);
    }
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let mut request = Request::new(Method::POST, issuer, purpose)
        .with_body(kind, form.into())
        .with_limit(1 << 20);
    request.secret = Some(identity.clone());
    request
}

/// `Authorization` for `credential` by user and password, if it has them.
///
/// An identity token goes under the user that credential helpers return it under.
pub(super) fn basic(credential: &Credential) -> Option<HeaderValue> {
    let (username, password) = match credential {
        Credential::Basic { username, password } => (username.as_str(), password),
        Credential::IdentityToken(token) => ("<token>", token),
        Credential::Anonymous | Credential::RegistryToken(_) => return None,
    };
    let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Authorization` for a token, if it can stand in a header.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token in an issuer's answer; `None` when there is none. What is wrong with the answer is
/// not said: it could quote the token.
pub(super) fn read(body: &[u8]) -> Option<Token> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let has_text = |secret: &Secret| !secret.expose().is_empty();
    let secret = body.token.filter(has_text).or_else(|| body.access_token.filter(has_text))?;
    let lifetime = body.expires_in.and_then(seconds).unwrap_or(DEFAULT_LIFETIME);
    let use_for = lifetime - (lifetime / 6).min(LONGEST_MARGIN);
    Some(Token { secret, use_for })
}

/// A number of seconds, of which some issuers make a string or a fraction.
fn seconds(value: serde_json::Value) -> Option<Duration> {
    let number = match value {
        serde_json::Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    // Less than a second would round to none, and ask for a token with every request; a year is
    // as good as for ever, and no overflow.
    (number > 0.0).then(|| Duration::from_secs_f64(number.clamp(1.0, 31_536_000.0)))
}

fn encode(form: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(char::from(byte));
        } else {
            write!(form, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(realm: &str) -> Bearer {
        Bearer { realm: realm.to_owned(), service: Some("s v".to_owned()), scope: None }
    }

    fn token(text: &str) -> Option<(String, u64)> {
        read(text.as_bytes())
            .map(|token| (token.secret.expose().to_owned(), token.use_for.as_secs()))
    }

    #[test]
    fn edge_28_a_token_has_two_names_and_a_lifetime() {
        let is = |name: &str, seconds| Some((name.to_owned(), seconds));
        assert_eq!(token(r#"{"token":"a"}"#), is("a", 50));
        assert_eq!(token(r#"{"access_token":"b","expires_in":300}"#), is("b", 270));
        assert_eq!(token(r#"{"token":"a","access_token":"b","expires_in":"3600"}"#), is("a", 3570));
        assert_eq!(token(r#"{"token":"","access_token":"b","expires_in":12.0}"#), is("b", 10));
        assert_eq!(token(r#"{"token":"a","expires_in":-5}"#), is("a", 50));
        assert_eq!(token(r#"{"token":"a","expires_in":1e300}"#), is("a", 31_535_970));
        let brief = read(br#"{"token":"a","expires_in":1e-300}"#).expect("a token");
        assert!(brief.use_for > Duration::from_millis(800), "{:?}", brief.use_for);
        for bad in ["", "{}", "[]", r#"{"token":7}"#, r#"{"token":null}"#] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }

    #[test]
    fn edge_28_an_issuer_is_asked_for_service_and_scope() {
        let bearer = challenge("https://auth.example.com/token?x=1");
        let issuer = issuer(&bearer, |_| false).expect("a URL");
        let request = get("p", issuer, &bearer, "repository:a/b:pull,push");
        let expected = "https://auth.example.com/token?x=1&service=s+v&client_id=plimsoll\
                        &scope=repository%3Aa%2Fb%3Apull%2Cpush";
        assert_eq!(request.url.as_str(), expected);
        let none = get("p", "https://auth/token".parse().expect("a URL"), &bearer, "");
        assert_eq!(none.url.as_str(), "https://auth/token?service=s+v&client_id=plimsoll");
        let two = get("p", request.url, &bearer, "repository:a:pull,push repository:b:pull");
        assert!(
            two.url
                .as_str()
                .ends_with("&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull")
        );
    }

    #[test]
    fn edge_29_an_identity_token_is_traded_by_post() {
        let bearer = challenge("https://auth/token");
        let issuer = issuer(&bearer, |_| false).expect("a URL");
        let request = refresh("p", issuer, &bearer, "repository:a:pull", &Secret::new("i&d"));
        let body = String::from_utf8(request.body.to_vec()).expect("text");
        assert_eq!(
            body,
            "grant_type=refresh_token&service=s%20v&client_id=plimsoll\
             &scope=repository%3Aa%3Apull&refresh_token=i%26d"
        );
        assert_eq!(request.url.query(), None);
    }

    #[test]
    fn edge_29_a_realm_is_https_unless_http_will_do() {
        let plain = challenge("http://u:p@auth:5001/token");
        assert!(matches!(issuer(&plain, |_| false), Err(RealmError::Plain(_))));
        let allowed = issuer(&plain, |url| url.host_str() == Some("auth"));
        assert_eq!(allowed.map(String::from).as_deref(), Ok("http://auth:5001/token"));
        for bad in ["", "/token", "ftp://auth/token", "data:x"] {
            assert!(
                matches!(issuer(&challenge(bad), |_| true), Err(RealmError::NoUrl(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn edge_38_a_password_may_hold_a_colon_and_a_header_hides_it() {
        let password = Secret::new("a:b");
        let value = basic(&Credential::Basic { username: "u".to_owned(), password });
        let value = value.expect("a legal header");
        assert_eq!(value, format!("Basic {}", STANDARD.encode("u:a:b")).as_str());
        assert!(value.is_sensitive());
        assert_eq!(bearer(&Secret::new("a\nb")), None);
    }
}

//! Who may do what: challenges, tokens and scopes.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use base64::Engine as _;
use serde_json::json;

use super::answer::Answer;
use super::call::{Call, Endpoint, Form};
use super::options::{BearerAuth, FakeAuth, TokenField};
use super::world::World;

/// The `service` of the challenge, which token requests must repeat.
const SERVICE: &str = "fake-registry";

/// The tokens given out.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<String, Grant>);

/// What one token allows, and until when.
#[derive(Debug)]
struct Grant {
    scopes: Vec<Scope>,
    until: Option<Instant>,
}

/// `repository:NAME:ACTION[,ACTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    repository: String,
    actions: BTreeSet<String>,
}

/// Whom a token request is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    User,
    Nobody,
}

impl Tokens {
    /// Makes every token given out so far worthless.
    pub(super) fn expire(&mut self) {
        self.0.clear();
    }
}

impl World {
    /// Lets the request through, or answers with the challenge.
    pub(super) fn authorize(&self, call: &Call) -> Result<(), Answer> {
        if call.endpoint == Endpoint::Token {
            return Ok(());
        }
        match &self.options.auth {
            FakeAuth::Anonymous => Ok(()),
            FakeAuth::Basic { user, password } => match credentials(call) {
                Some(given) if given == (user.clone(), password.clone()) => Ok(()),
                _ => Err(unauthorized(r#"Basic realm="fake registry""#)),
            },
            FakeAuth::Bearer(_) => self.authorize_token(call),
        }
    }

    /// Strict, as the CNCF registry: a token without one of the scopes is as good as none.
    fn authorize_token(&self, call: &Call) -> Result<(), Answer> {
        let needed = needed(call);
        let authorization = call.header("authorization");
        let token = authorization.and_then(|header| strip_scheme(header, "bearer"));
        let grant = token.and_then(|token| self.tokens.0.get(token));
        let grant = grant.filter(|grant| grant.until.is_none_or(|until| Instant::now() < until));
        let error = match (token, grant) {
            (None, _) => "",
            (Some(_), None) => r#",error="invalid_token""#,
            (Some(_), Some(grant)) => {
                if needed.iter().all(|scope| grant.covers(scope)) {
                    return Ok(());
                }
                r#",error="insufficient_scope""#
            }
        };
        let scopes: Vec<String> = needed.iter().map(Scope::to_text).collect();
        let scope = match scopes.as_slice() {
            [] => String::new(),
            scopes => format!(r#",scope="{}""#, scopes.join(" ")),
        };
        let realm = match &self.options.auth {
            FakeAuth::Bearer(BearerAuth { realm_elsewhere: true, .. }) => {
                format!("http://localhost:{}/token", self.address.port())
            }
            _ => format!("http://{}/token", self.address),
        };
        Err(unauthorized(&format!(r#"Bearer realm="{realm}",service="{SERVICE}"{scope}{error}"#)))
    }

    /// The token endpoint: `GET` with Basic credentials or none, `POST` as in OAuth 2.
    pub(super) fn token(&mut self, call: &Call) -> Result<Answer, Answer> {
        let FakeAuth::Bearer(auth) = self.options.auth.clone() else {
            return Err(Answer::new(404).body("text/plain", "not found\n"));
        };
        let post = call.method == "POST";
        if post && auth.refresh_token.is_none() {
            return Err(Answer::new(404).body("text/plain", "not found\n"));
        }
        let form = match post {
            true => Form::parse(&String::from_utf8_lossy(&call.body)),
            false => call.query.clone(),
        };
        if form.get("service") != Some(SERVICE) {
            return Err(Answer::error(400, "UNSUPPORTED", "unknown service"));
        }
        let who = match post {
            true => oauth2(&auth, call, &form)?,
            false => basic(&auth, call)?,
        };
        let asked = form.all("scope").flat_map(str::split_ascii_whitespace);
        let scopes: Vec<Scope> =
            asked.filter_map(Scope::parse).map(|scope| scope.granted_to(who)).collect();
        let token = random_token();
        let names: &[&str] = match (auth.field, post) {
            (_, true) | (TokenField::AccessToken, _) => &["access_token"],
            (TokenField::Token, false) => &["token"],
            (TokenField::Both, false) => &["token", "access_token"],
        };
        let mut body = serde_json::Map::new();
        for name in names {
            body.insert((*name).to_owned(), json!(token));
        }
        if let Some(lifetime) = auth.lifetime {
            body.insert("expires_in".to_owned(), json!(lifetime.as_secs()));
        }
        if let Some(refresh) = auth.refresh_token.filter(|_| who == Who::User) {
            body.insert("refresh_token".to_owned(), json!(refresh));
        }
        let until = auth.lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
        self.tokens.0.insert(token, Grant { scopes, until });
        Ok(Answer::json(200, &serde_json::Value::Object(body)))
    }
}

impl Grant {
    fn covers(&self, needed: &Scope) -> bool {
        let own = self.scopes.iter().filter(|scope| scope.repository == needed.repository);
        let actions: BTreeSet<&String> = own.flat_map(|scope| &scope.actions).collect();
        needed.actions.iter().all(|action| actions.contains(action))
    }
}

impl Scope {
    fn new(repository: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Self { repository: repository.to_owned(), actions }
    }

    /// `None` for a scope of anything but a repository: it grants nothing here.
    fn parse(text: &str) -> Option<Self> {
        let (repository, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        Some(Self::new(repository, &actions.split(',').collect::<Vec<_>>()))
    }

    fn granted_to(mut self, who: Who) -> Self {
        self.actions.retain(|action| who == Who::User || action == "pull");
        self
    }

    /// `pull` before `push`, as registries write it.
    fn to_text(&self) -> String {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        format!("repository:{}:{}", self.repository, actions.join(","))
    }
}

/// The scopes a request needs: those of the CNCF registry, a mount's source included.
fn needed(call: &Call) -> Vec<Scope> {
    let Some(repository) = call.endpoint.repository() else { return Vec::new() };
    let actions: &[&str] = match call.method.as_str() {
        "GET" | "HEAD" => &["pull"],
        "DELETE" => &["delete"],
        _ => &["pull", "push"],
    };
    let mut needed = vec![Scope::new(repository, actions)];
    if let (Endpoint::Uploads { .. }, Some(from)) = (&call.endpoint, call.query.get("from")) {
        needed.push(Scope::new(from, &["pull"]));
    }
    needed
}

fn basic(auth: &BearerAuth, call: &Call) -> Result<Who, Answer> {
    if call.header("authorization").is_none() && auth.anonymous_pull {
        return Ok(Who::Nobody);
    }
    match credentials(call) {
        Some(given) if given == (auth.user.clone(), auth.password.clone()) => Ok(Who::User),
        _ => Err(unauthorized(r#"Basic realm="fake tokens""#)),
    }
}

fn oauth2(auth: &BearerAuth, call: &Call, form: &Form) -> Result<Who, Answer> {
    let form_type = "application/x-www-form-urlencoded";
    if call.header("content-type") != Some(form_type) || form.get("client_id").is_none() {
        return Err(Answer::json(400, &json!({ "error": "invalid_request" })));
    }
    let right = match form.get("grant_type") {
        Some("refresh_token") => form.get("refresh_token") == auth.refresh_token.as_deref(),
        Some("password") => {
            let given = (form.get("username"), form.get("password"));
            given == (Some(&auth.user), Some(&auth.password))
        }
        _ => return Err(Answer::json(400, &json!({ "error": "unsupported_grant_type" }))),
    };
    match right {
        true => Ok(Who::User),
        false => Err(unauthorized(r#"Basic realm="fake tokens""#)),
    }
}

/// User and password of a Basic header; a password may have colons.
fn credentials(call: &Call) -> Option<(String, String)> {
    let encoded = strip_scheme(call.header("authorization")?, "basic")?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn strip_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (own, rest) = header.split_once(' ')?;
    own.eq_ignore_ascii_case(scheme).then_some(rest.trim())
}

fn unauthorized(challenge: &str) -> Answer {
    Answer::error(401, "UNAUTHORIZED", "authentication required")
        .header("WWW-Authenticate", challenge)
}

/// Opaque, so that no client comes to rely on what is in it.
fn random_token() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(40).collect()
}

#[cfg(test)]
mod tests;

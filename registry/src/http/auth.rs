//! Who we are to a registry: its challenge, our credentials and tokens.
//!
//! The first real request is the probe. While it is under way others wait, so that however
//! many start together, one of them meets the challenge and one asks for a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::action::Action;
use super::challenge::{self, Bearer, Challenge};
use super::refusal;
use super::request::{Answer, Failure, Request};
use super::scope::Scope;
use super::text::printable;
use super::token;
use super::wire::Wire;
use crate::credential::{Credential, Credentials};
use crate::host::Host;
use crate::store::{Blame, StoreError};

/// What one registry asked for, and what it is shown.
pub(super) struct Auth {
    host: Host,
    /// http was asked for, and does for the issuer of tokens, too.
    plain_http: bool,
    credentials: Arc<Credentials>,
    known: Mutex<Known>,
    probe: Arc<AsyncMutex<()>>,
    slots: Mutex<HashMap<Scope, Arc<AsyncMutex<Slot>>>>,
}

#[derive(Default)]
struct Known {
    challenge: Option<Challenge>,
    /// Reads were answered without credentials.
    reads_are_open: bool,
    /// Writes were answered without credentials.
    writes_are_open: bool,
    /// Whose credentials were shown, in words.
    shown: Option<String>,
}

/// What is shown for one scope.
struct Slot {
    /// The scope, and what the registry demanded beyond.
    scope: Scope,
    shown: Option<Shown>,
}

#[derive(Clone)]
struct Shown {
    header: HeaderValue,
    renewal: Renewal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewal {
    /// It comes from the user: another only if the user logs in again.
    ByUser,
    /// It comes from an issuer, who gives another.
    AtIssuer {
        /// When to ask for it, unless it is refused before.
        due: Instant,
    },
}

/// What a request goes out with.
pub(super) enum Pass {
    /// Nothing: it is to find out what the registry asks for, and others wait for it.
    Probe {
        /// Held until the registry has answered.
        _guard: OwnedMutexGuard<()>,
    },
    /// Nothing: the registry asked for nothing so far, or there is nothing to show.
    Nothing,
    /// Credentials.
    Shown {
        header: HeaderValue,
        /// Whether there may be others when these are refused.
        is_renewable: bool,
    },
}

impl Auth {
    pub(super) fn new(host: Host, plain_http: bool, credentials: Arc<Credentials>) -> Self {
        let (known, probe, slots) = Default::default();
        Self { host, plain_http, credentials, known, probe, slots }
    }

    /// What to send `request` with.
    pub(super) async fn pass(
        &self,
        wire: &Wire,
        request: &Request,
        scope: &Scope,
        deadline: Instant,
    ) -> Result<Pass, Failure> {
        if let Some(known) = self.known(request) {
            return self.pass_for(known, wire, request, scope, deadline).await;
        }
        let guard = Arc::clone(&self.probe).lock_owned().await;
        match self.known(request) {
            Some(known) => self.pass_for(known, wire, request, scope, deadline).await,
            None => Ok(Pass::Probe { _guard: guard }),
        }
    }

    /// Notes that the registry answered `request` otherwise than by a challenge.
    pub(super) fn admitted(&self, pass: &Pass, request: &Request, status: StatusCode) {
        // An answer that may pass is not the registry's last word.
        let is_settled = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
        if matches!(pass, Pass::Probe { .. }) && is_settled {
            let mut known = self.known.lock().expect("no holder of this lock panics");
            if request.is_write() {
                known.writes_are_open = true;
            } else {
                known.reads_are_open = true;
            }
        }
    }

    /// Notes the challenge in a 401 to `request`; whether another pass may be admitted.
    pub(super) async fn challenged(
        &self,
        pass: &Pass,
        request: &Request,
        scope: &Scope,
        answer: &Answer,
    ) -> Result<bool, Failure> {
        let challenges = challenge::parse(answer.header_lines(WWW_AUTHENTICATE));
        let Some(challenge) = challenge::choose(challenges) else { return Ok(false) };
        if let Challenge::Other(scheme) = &challenge {
            return Err(Failure::lasting(self.unknown_scheme(request, scheme)));
        }
        if let Pass::Shown { header, is_renewable } = pass {
            self.reject(header, *is_renewable, request, scope, &challenge).await;
        }
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.challenge = Some(challenge);
        Ok(true)
    }

    /// The remedy when the registry or its issuer does not let us in.
    pub(super) fn remedy(&self, scope: &Scope) -> String {
        let (host, path) = (&self.host, scope.path());
        let known = self.known.lock().expect("no holder of this lock panics");
        let start = match &known.shown {
            Some(shown) => format!("{shown} was refused: log in again with"),
            None => "no credentials were shown: log in with".to_owned(),
        };
        format!(
            "{start} {}, or pass --username and --password-stdin, as a user with rights on {path}",
            login(host)
        )
    }

    /// What is known that matters for `request`: a challenge, or that there is none.
    fn known(&self, request: &Request) -> Option<Option<Challenge>> {
        let known = self.known.lock().expect("no holder of this lock panics");
        let is_open = if request.is_write() { known.writes_are_open } else { known.reads_are_open };
        match &known.challenge {
            Some(challenge) => Some(Some(challenge.clone())),
            None => is_open.then_some(None),
        }
    }

    async fn pass_for(
        &self,
        challenge: Option<Challenge>,
        wire: &Wire,
        request: &Request,
        scope: &Scope,
        deadline: Instant,
    ) -> Result<Pass, Failure> {
        let Some(challenge) = challenge else { return Ok(Pass::Nothing) };
        let slot = self.slot(scope);
        // Held while a token is fetched: one request asks, the others take what it got.
        let mut slot = slot.lock().await;
        if !slot.shown.as_ref().is_some_and(Shown::is_fresh) {
            slot.shown = self.obtain(&challenge, wire, request, &slot.scope, deadline).await?;
        }
        Ok(match &slot.shown {
            Some(shown) => Pass::Shown {
                header: shown.header.clone(),
                is_renewable: shown.renewal != Renewal::ByUser,
            },
            None => Pass::Nothing,
        })
    }

    /// Something new to show; `None` when there is nothing.
    async fn obtain(
        &self,
        challenge: &Challenge,
        wire: &Wire,
        request: &Request,
        scope: &Scope,
        deadline: Instant,
    ) -> Result<Option<Shown>, Failure> {
        let found = self.credentials.find(&self.host, scope.path()).await;
        let credential = found.map_err(|error| {
            let message = format!("{}: find the credentials for {}", request.purpose, self.host);
            let remedy = error.remedy();
            Failure::lasting(
                StoreError::new(Blame::Local, message).with_remedy(remedy).with_source(error),
            )
        })?;
        self.known.lock().expect("no holder of this lock panics").shown = match &credential {
            Credential::Anonymous => None,
            Credential::Basic { username, .. } => Some(format!("user {}", printable(username))),
            Credential::IdentityToken(_) | Credential::RegistryToken(_) => {
                Some("the stored token".to_owned())
            }
        };
        match (challenge, credential) {
            (Challenge::Bearer(_), Credential::RegistryToken(secret)) => {
                self.by_user(request, token::bearer(&secret)).map(Some)
            }
            (Challenge::Bearer(bearer), credential) => {
                self.fetch(bearer, &credential, wire, request, scope, deadline).await.map(Some)
            }
            (_, Credential::Anonymous) => Ok(None),
            (_, Credential::RegistryToken(_)) => {
                let message = format!(
                    "{}: {} asks for user and password, and the credential for it is a token",
                    request.purpose, self.host
                );
                let error = StoreError::new(Blame::Denied, message);
                Err(Failure::lasting(error.with_remedy(self.remedy(scope))))
            }
            (_, credential) => self.by_user(request, token::basic(&credential)).map(Some),
        }
    }

    fn by_user(&self, request: &Request, header: Option<HeaderValue>) -> Result<Shown, Failure> {
        let header = header.ok_or_else(|| self.unsendable(request))?;
        Ok(Shown { header, renewal: Renewal::ByUser })
    }

    /// A token from the issuer that the registry names.
    async fn fetch(
        &self,
        bearer: &Bearer,
        credential: &Credential,
        wire: &Wire,
        request: &Request,
        scope: &Scope,
        deadline: Instant,
    ) -> Result<Shown, Failure> {
        let issuer = token::issuer(bearer, |url| self.may_be_plain(url)).map_err(|error| {
            let message = format!("{}: get a token for {}", request.purpose, self.host);
            Failure::lasting(StoreError::new(Blame::Registry, message).with_source(error))
        })?;
        let asked = Instant::now();
        let (purpose, scope_text) = (&request.purpose, scope.text());
        if let Credential::IdentityToken(identity) = credential {
            let refresh = token::refresh(purpose, issuer.clone(), bearer, &scope_text, identity);
            let answer = ask(wire, &refresh, None, deadline).await?;
            // An issuer that knows no OAuth2 knows no such address or verb.
            if !matches!(answer.status.as_u16(), 404 | 405) {
                return self.read_token(&refresh, &answer, scope, asked);
            }
        }
        let get = token::get(purpose, issuer, bearer, &scope_text);
        let authorization = token::basic(credential);
        let answer = ask(wire, &get, authorization.as_ref(), deadline).await?;
        self.read_token(&get, &answer, scope, asked)
    }

    fn read_token(
        &self,
        request: &Request,
        answer: &Answer,
        scope: &Scope,
        asked: Instant,
    ) -> Result<Shown, Failure> {
        if !answer.status.is_success() {
            return Err(Failure::lasting(self.refused(request, answer, scope)));
        }
        let Some(token) = token::read(&answer.body) else {
            let problem = match answer.is_html() {
                true => refusal::html_problem(answer),
                false => "the answer holds no token".to_owned(),
            };
            return Err(Failure::lasting(refusal::not_an_api(request, answer, &problem)));
        };
        let header = token::bearer(&token.secret).ok_or_else(|| self.unsendable(request))?;
        Ok(Shown { header, renewal: Renewal::AtIssuer { due: asked + token.use_for } })
    }

    /// The issuer's no. Some say 400 to a wrong or outdated credential (RFC 6749, section 5.2).
    fn refused(&self, request: &Request, answer: &Answer, scope: &Scope) -> StoreError {
        let error = refusal::error(request, answer);
        let text = refusal::read(request, answer).text;
        let is_grant = answer.status == 400 && text.contains("invalid_grant");
        if error.blame() != Blame::Denied && !is_grant {
            return error;
        }
        StoreError::new(Blame::Denied, error.to_string()).with_remedy(self.remedy(scope))
    }

    /// Forgets what was refused, unless another request has replaced it meanwhile.
    async fn reject(
        &self,
        header: &HeaderValue,
        is_renewable: bool,
        request: &Request,
        scope: &Scope,
        challenge: &Challenge,
    ) {
        let slot = self.slot(scope);
        let mut slot = slot.lock().await;
        if slot.shown.as_ref().is_some_and(|shown| shown.header == *header) {
            slot.shown = None;
            if !is_renewable {
                // The user may have logged in again since it was read.
                self.credentials.forget();
            }
        }
        // Rights beyond push, such as to delete, are asked for once they turn out to be needed.
        if let Challenge::Bearer(Bearer { scope: Some(demanded), .. }) = challenge
            && request.is_write()
            && slot.scope.widen(demanded)
        {
            slot.shown = None;
        }
    }

    fn slot(&self, scope: &Scope) -> Arc<AsyncMutex<Slot>> {
        let mut slots = self.slots.lock().expect("no holder of this lock panics");
        let new = || Arc::new(AsyncMutex::new(Slot { scope: scope.clone(), shown: None }));
        Arc::clone(slots.entry(scope.clone()).or_insert_with(new))
    }

    /// Whether the issuer at `url` may be spoken to in http: where the user wants http, and
    /// between two ends on this machine.
    fn may_be_plain(&self, url: &Url) -> bool {
        let name = url.host_str().unwrap_or_default();
        let is_loopback = name.parse().is_ok_and(|host: Host| host.is_loopback());
        self.plain_http || (self.host.is_loopback() && is_loopback)
    }

    fn unknown_scheme(&self, request: &Request, scheme: &str) -> StoreError {
        let message = format!(
            "{}: {} asks for {} authentication; Bearer and Basic are known here",
            request.purpose,
            self.host,
            printable(scheme)
        );
        StoreError::new(Blame::Unsupported, message)
    }

    fn unsendable(&self, request: &Request) -> Failure {
        let message = format!(
            "{}: show a token or password to {}: it has characters that no header can hold",
            request.purpose, self.host
        );
        let error = StoreError::new(Blame::Local, message);
        Failure::lasting(error.with_remedy(format!("log in again with {}", login(&self.host))))
    }
}

/// What logs in, whichever of them is there.
fn login(host: &Host) -> String {
    format!("`ocitag login {host}` or `docker login {host}`")
}

/// The issuer's answer. Without one the matter is settled: all tries are behind it, and what
/// needs the token was never sent.
async fn ask(
    wire: &Wire,
    request: &Request,
    authorization: Option<&HeaderValue>,
    deadline: Instant,
) -> Result<Answer, Failure> {
    let answer = wire.send(request, authorization, Action::Token, deadline).await;
    answer.map_err(|failure| Failure::lasting(failure.error))
}

impl Shown {
    fn is_fresh(&self) -> bool {
        match self.renewal {
            Renewal::ByUser => true,
            Renewal::AtIssuer { due } => Instant::now() < due,
        }
    }
}

impl Pass {
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        match self {
            Self::Probe { .. } | Self::Nothing => None,
            Self::Shown { header, .. } => Some(header),
        }
    }

    /// What was shown; it lets go of a probe.
    pub(super) fn into_header(self) -> Option<HeaderValue> {
        match self {
            Self::Probe { .. } | Self::Nothing => None,
            Self::Shown { header, .. } => Some(header),
        }
    }
}

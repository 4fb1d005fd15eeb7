//! Admission: whether a registry knows the user that its client shows.

use reqwest::Method;

use super::refusal;
use super::registry::Registry;
use super::request::Request;
use super::scope::Scope;
use crate::store::{Blame, StoreError};

/// How a registry let its client in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// It asked for credentials, and accepted what it was shown.
    Known,
    /// It asked for nothing: whether the credentials are right is not known.
    Open,
}

impl Registry {
    /// Shows the registry the credentials, as `docker login` does: by `GET /v2/` and what its
    /// challenge asks for, with no repository involved.
    ///
    /// # Errors
    /// [`Blame::Denied`] when the registry or the issuer of its tokens refuses the credentials;
    /// [`Blame::Registry`] when one of the two fails, cannot be reached, or is no registry.
    pub async fn admission(&self) -> Result<Admission, StoreError> {
        let purpose = format!("log in to {}", self.host());
        let request = Request::new(Method::GET, self.url("", &[]), purpose);
        let sent = self.send(&request, &Scope::none()).await;
        let answer = sent.map_err(|error| match error.blame() {
            Blame::Denied => error.with_remedy(REMEDY),
            _ => error,
        })?;
        if answer.is_html() {
            let problem = refusal::html_problem(&answer);
            return Err(refusal::not_an_api(&request, &answer, &problem));
        }
        if answer.status == 404 {
            let problem = "there is no registry API";
            return Err(refusal::not_an_api(&request, &answer, problem));
        }
        if !answer.status.is_success() {
            let error = refusal::error(&request, &answer);
            return Err(match (error.blame(), error.remedy()) {
                (Blame::Denied, None) => error.with_remedy(REMEDY),
                _ => error,
            });
        }
        Ok(if answer.shown.is_some() { Admission::Known } else { Admission::Open })
    }
}

const REMEDY: &str = "check user and password; with two-factor login, and on most hosted \
                      registries, the password is an access token made there";

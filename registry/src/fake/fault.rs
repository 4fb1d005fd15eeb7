//! What can be made to go wrong.

use std::sync::mpsc::Sender;

use super::answer::Answer;
use super::gate::Gate;
use crate::digest::Digest;
use crate::tag::Tag;

/// What happens to one request instead of, or besides, the right thing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// This is the answer; the registry does not act.
    Answer(Answer),
    /// The connection is reset before the body is read; the registry does not act.
    Reset,
    /// The registry acts, and the connection is reset before it answers.
    AnswerLost,
    /// So many bytes of the body are read and, if they are of an upload, kept; then the
    /// connection is reset.
    CutUpload(usize),
    /// The registry acts, states the whole length, sends half of it and closes the connection.
    /// An answer without a body, such as that to a `HEAD`, cannot be cut and arrives.
    Truncate,
    /// The registry acts and begins to answer: so many bytes of the body, and the rest once the
    /// [`Gate`] is opened.
    Trickle(usize, Gate),
    /// The registry acts, and one byte in the middle of its answer's body is another.
    WrongBytes,
    /// The registry acts, states one byte less than its answer's body has, and sends that: all
    /// is well to HTTP, and not to anybody who knows the size. A `HEAD` states it alike.
    ShortLength,
    /// All tokens that were given out are worthless from this request on, as if their time were
    /// over.
    ExpireTokens,
    /// The registry acts, and names another digest in `Docker-Content-Digest`.
    WrongDigestHeader,
    /// The registry takes a manifest for another, with a line end behind it, and says so: what it
    /// stores is not what it was sent.
    Rewrite,
    /// The registry acts, and names no digest.
    MissingDigestHeader,
    /// The registry acts, and its answer has this header, in place of its own of that name.
    SetHeader(String, String),
    /// No answer at all, until the client or the registry closes the connection; the registry
    /// does not act.
    Stall,
    /// So many bytes of the body are read and, if they are of an upload, kept; then a message is
    /// sent, and there is no answer until the client closes the connection: the moment to kill it.
    Hold {
        /// How many bytes of the body are read at most.
        bytes: usize,
        /// Where the message goes.
        reached: Sender<()>,
    },
    /// Just before the registry acts on the request, somebody else moves a tag.
    Retag {
        /// The repository, without host.
        repository: String,
        /// The tag that moves.
        tag: Tag,
        /// Where it goes; the repository need not hold it.
        digest: Digest,
    },
}

/// Which requests a [`Fault`] strikes.
///
/// A rule counts the requests that match it from the moment it is given to
/// [`FakeRegistry::fail`](super::FakeRegistry::fail), lets some pass, strikes some, and is
/// spent. Of two rules that would strike the same request the older one does.
#[derive(Clone, Debug)]
pub struct FaultRule {
    fault: Fault,
    method: Option<String>,
    path: String,
    skip: usize,
    times: usize,
}

impl FaultRule {
    /// Strikes the next request.
    #[must_use]
    pub fn next(fault: Fault) -> Self {
        Self { fault, method: None, path: String::new(), skip: 0, times: 1 }
    }

    /// Strikes the `n`th request from now; 0 is the next.
    #[must_use]
    pub fn nth(n: usize, fault: Fault) -> Self {
        Self::next(fault).skip(n)
    }

    /// Strikes the next request with this method whose path and query contain `path`.
    #[must_use]
    pub fn on(method: &str, path: &str, fault: Fault) -> Self {
        let (method, path) = (Some(method.to_owned()), path.to_owned());
        Self { method, path, ..Self::next(fault) }
    }

    /// Lets that many matching requests pass first.
    #[must_use]
    pub fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// Strikes that many matching requests.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Strikes every matching request from now on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method) && path.contains(&self.path)
    }
}

/// The rules in force, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FaultRule>);

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The fault for this request, counting it for every rule that waits for its turn.
    pub(super) fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut struck = None;
        for rule in self.0.iter_mut().filter(|rule| rule.matches(method, path)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if struck.is_none() && rule.times > 0 {
                // `always` never gets to zero in a test's lifetime.
                rule.times -= 1;
                struck = Some(rule.fault.clone());
            }
        }
        self.0.retain(|rule| rule.times > 0);
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(fault: Option<Fault>) -> Option<u16> {
        match fault {
            Some(Fault::Answer(answer)) => Some(answer.status()),
            _ => None,
        }
    }

    fn answer(status: u16) -> Fault {
        Fault::Answer(Answer::new(status))
    }

    #[test]
    fn a_rule_skips_strikes_and_is_spent() {
        let mut faults = Faults::default();
        faults.add(FaultRule::on("PUT", "/manifests/", answer(500)).skip(1).times(2));
        let mut put = || status(faults.strike("PUT", "/v2/a/manifests/1"));
        assert_eq!([put(), put(), put(), put()], [None, Some(500), Some(500), None]);
        assert_eq!(faults.len(), 0);
    }

    #[test]
    fn other_requests_do_not_count() {
        let mut faults = Faults::default();
        faults.add(FaultRule::on("PUT", "/manifests/", answer(500)).skip(1));
        assert_eq!(status(faults.strike("GET", "/v2/a/manifests/1")), None);
        assert_eq!(status(faults.strike("PUT", "/v2/a/manifests/1")), None);
        assert_eq!(status(faults.strike("PUT", "/v2/a/blobs/1")), None);
        assert_eq!(status(faults.strike("PUT", "/v2/a/manifests/1")), Some(500));
    }

    #[test]
    fn every_request_brings_the_nth_closer_and_the_older_rule_strikes() {
        let mut faults = Faults::default();
        faults.add(FaultRule::next(answer(500)).times(2));
        faults.add(FaultRule::nth(2, answer(501)));
        faults.add(FaultRule::nth(1, answer(502)));
        let mut get = || status(faults.strike("GET", "/v2/"));
        assert_eq!([get(), get(), get(), get()], [Some(500), Some(500), Some(501), Some(502)]);
    }
}

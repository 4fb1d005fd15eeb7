//! Runs: the code under test, polled by hand, as an automaton that is discovered on the way.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::world::{Answer, Names, Request};
use crate::apply::{Applied, chain};
use crate::manifest::{Descriptor, Manifest};
use crate::observation::{Guard, Release};
use crate::observe::Target;
use crate::planner::plan;
use crate::reference::Selector;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// What one run does: a release, and how it is driven.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// The exact tags, separated by blanks.
    pub(super) versions: &'static str,
    /// The image they get.
    pub(super) image: &'static str,
    pub(super) source: Source,
    pub(super) driver: Driver,
    /// How many requests of the run may be under way at once.
    pub(super) concurrency: usize,
    /// Whether the registry takes several tags in one PUT.
    pub(super) together: bool,
}

/// How the image to release is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Digest,
    /// Its exact tag, which the run itself pushes first, as `docker push` does.
    Pushed,
}

/// How a run is driven: as released, or with one rule left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    Whole,
    /// Without rule 7: what was planned is written, and nobody looks again.
    NoSecondLook,
    /// Without rule 6: the steps of the plan in reverse.
    Backwards,
    /// Without rule 3: [`Guard::Off`].
    NoGuard,
}

/// A command and every state that one of its runs has been seen in.
pub(super) struct Program {
    command: Command,
    states: Vec<State>,
    /// States that differ only in which of their requests are answered, and how.
    partial: HashMap<(StateId, Vec<Option<Answer>>), StateId>,
    next: HashMap<(StateId, usize, Answer), StateId>,
}

/// A state of a run, as its place in [`Program::states`].
pub(super) type StateId = u32;

struct State {
    /// The answers so far, batch by batch.
    history: Vec<Vec<Answer>>,
    /// The first state of the current batch.
    base: StateId,
    got: Vec<Option<Answer>>,
    doing: Doing,
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It waits for these, answered or not.
    Waiting(Vec<Request>),
    /// It is over, with an error or without.
    Ended(Result<(), String>),
}

impl Program {
    pub(super) fn new(names: &Names, command: Command) -> Self {
        let (partial, next) = (HashMap::new(), HashMap::new());
        let mut program = Self { command, states: Vec::new(), partial, next };
        program.begin_batch(names, Vec::new());
        program
    }

    /// The state in which a run begins.
    pub(super) const START: StateId = 0;

    /// How a run in this state ended, if it did.
    pub(super) fn ended(&self, state: StateId) -> Option<&Result<(), String>> {
        match &self.states[state as usize].doing {
            Doing::Ended(end) => Some(end),
            Doing::Waiting(_) => None,
        }
    }

    /// The requests that wait to be performed.
    pub(super) fn pending(&self, state: StateId) -> impl Iterator<Item = (usize, Request)> {
        let State { doing, got, .. } = &self.states[state as usize];
        let requests: &[Request] = match doing {
            Doing::Waiting(requests) => requests,
            Doing::Ended(_) => &[],
        };
        let pending = requests.iter().zip(got).enumerate();
        pending.filter(|(_, (_, got))| got.is_none()).map(|(at, (request, _))| (at, *request))
    }

    /// The state after the request at `at` is answered.
    pub(super) fn answered(
        &mut self,
        names: &Names,
        state: StateId,
        at: usize,
        answer: Answer,
    ) -> StateId {
        if let Some(next) = self.next.get(&(state, at, answer)) {
            return *next;
        }
        let before = &self.states[state as usize];
        let mut got = before.got.clone();
        got[at] = Some(answer);
        let key = (before.base, got);
        let next = match self.partial.get(&key) {
            Some(known) => *known,
            None => {
                let next = self.add_answers(names, state, key.1.clone());
                self.partial.insert(key, next);
                next
            }
        };
        self.next.insert((state, at, answer), next);
        next
    }

    fn add_answers(&mut self, names: &Names, state: StateId, got: Vec<Option<Answer>>) -> StateId {
        let State { history, base, doing, .. } = &self.states[state as usize];
        if let Some(batch) = got.iter().copied().collect::<Option<Vec<Answer>>>() {
            let history = [history.as_slice(), &[batch]].concat();
            return self.begin_batch(names, history);
        }
        let state = State { history: history.clone(), base: *base, got, doing: doing.clone() };
        self.add(state)
    }

    fn begin_batch(&mut self, names: &Names, history: Vec<Vec<Answer>>) -> StateId {
        let doing = replay(names, &self.command, &history);
        let got = match &doing {
            Doing::Waiting(requests) => vec![None; requests.len()],
            Doing::Ended(_) => Vec::new(),
        };
        let base = self.states.len() as StateId;
        self.add(State { history, base, got, doing })
    }

    fn add(&mut self, state: State) -> StateId {
        self.states.push(state);
        (self.states.len() - 1) as StateId
    }
}

/// Runs `command` from its beginning with these answers, to where it wants more or ends.
fn replay(names: &Names, command: &Command, history: &[Vec<Answer>]) -> Doing {
    let store = Scripted { names, together: command.together, calls: Mutex::default() };
    let mut run = pin!(run(&store, command));
    let mut context = Context::from_waker(Waker::noop());
    let mut history = history.iter();
    loop {
        if let Poll::Ready(end) = run.as_mut().poll(&mut context) {
            assert!(history.next().is_none(), "{command:?} does not always do the same");
            return Doing::Ended(end);
        }
        let mut calls = store.calls.lock().expect("nothing panics while it holds this");
        let waiting: Vec<&mut Call> =
            calls.iter_mut().filter(|call| call.answer.is_none()).collect();
        let Some(batch) = history.next() else {
            return Doing::Waiting(waiting.iter().map(|call| call.request).collect());
        };
        assert_eq!(waiting.len(), batch.len(), "{command:?} does not always do the same");
        for (call, answer) in waiting.into_iter().zip(batch) {
            call.answer = Some(*answer);
            call.waker.wake_by_ref();
        }
    }
}

/// The code under test, as `ocitag` composes it.
async fn run(store: &Scripted<'_>, command: &Command) -> Result<(), String> {
    let Command { versions, image, source, driver, concurrency, .. } = command;
    let target = Target { store, repository: "acme/cake", concurrency: *concurrency };
    let image = store.names.image_named(image);
    let exact = |text: &str| -> Tag { text.parse().expect("a tag") };
    let released = versions.split(' ').map(|text| text.parse().expect("a version")).collect();
    let mut release = Release::new(released, store.names.policy);
    if *driver == Driver::NoGuard {
        release.guard = Guard::Off;
    }
    let source = match source {
        Source::Digest => Selector::Digest(image.digest().clone()),
        Source::Pushed => {
            store.put(&exact(versions), image).await.map_err(|error| chain(&error))?;
            Selector::Tag(exact(versions))
        }
    };
    let observation = target.observe(&release, &source).await.map_err(|error| chain(&error))?;
    let mut plan = plan(&release, &observation);
    let Applied { error, .. } = match driver {
        Driver::Whole | Driver::NoGuard => target.apply(&release, observation, &plan).await,
        Driver::NoSecondLook => target.write(&plan, &|_| {}).await,
        Driver::Backwards => {
            plan.steps.reverse();
            target.apply(&release, observation, &plan).await
        }
    };
    error.map_or(Ok(()), |error| Err(chain(&error)))
}

/// A store that answers when it is told to.
struct Scripted<'n> {
    names: &'n Names,
    together: bool,
    calls: Mutex<Vec<Call>>,
}

struct Call {
    request: Request,
    answer: Option<Answer>,
    waker: Waker,
}

impl Scripted<'_> {
    async fn ask(&self, request: Request) -> Result<Answer, StoreError> {
        let mut own = None;
        let answer = poll_fn(|context| {
            let mut calls = self.calls.lock().expect("nothing panics while it holds this");
            let at = *own.get_or_insert_with(|| {
                calls.push(Call { request, answer: None, waker: context.waker().clone() });
                calls.len() - 1
            });
            calls[at].waker.clone_from(context.waker());
            calls[at].answer.map_or(Poll::Pending, Poll::Ready)
        });
        match answer.await {
            Answer::Failed => Err(StoreError::new(Blame::Registry, "no answer")),
            answer => Ok(answer),
        }
    }

    async fn find(&self, request: Request) -> Result<Option<Manifest>, StoreError> {
        match self.ask(request).await? {
            Answer::Found(image) => Ok(image.map(|image| self.names.manifest(image).clone())),
            answer => panic!("{answer:?} is no answer to a read"),
        }
    }
}

#[async_trait]
impl Store for Scripted<'_> {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        let Answer::Listed(tags) = self.ask(Request::List).await? else {
            panic!("a list is answered by a list");
        };
        let listed = self.names.tags.iter().enumerate().filter(|(tag, _)| tags >> tag & 1 == 1);
        Ok(listed.map(|(_, tag)| tag.clone()).collect())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let found = self.find(Request::Head(self.names.what(selector))).await?;
        Ok(found.map(|manifest| manifest.descriptor().clone()))
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        self.find(Request::Get(self.names.what(selector))).await
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let (tag, image) = (self.names.tag(tag.as_str()), self.names.image(manifest.digest()));
        self.ask(Request::Put(tag, image)).await.map(drop)
    }

    /// One tag after the other, as a registry does it: a moment of its own for each.
    async fn put_tags(
        &self,
        tags: &[Tag],
        manifest: &Manifest,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        if !self.together {
            return Ok(BTreeSet::new());
        }
        for tag in tags {
            self.put(tag, manifest).await?;
        }
        Ok(tags.iter().cloned().collect())
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.ask(Request::Untag(self.names.tag(tag.as_str()))).await.map(drop)
    }
}

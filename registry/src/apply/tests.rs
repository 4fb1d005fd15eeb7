use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::alias::AliasPolicy;
use crate::manifest::{Descriptor, MediaType};
use crate::store::{Blame, Store};
use crate::tag::Tag;

/// A store in memory that writes down each request and can be told to refuse one.
#[derive(Default)]
struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    tags: BTreeMap<Tag, Digest>,
    manifests: BTreeMap<Digest, Manifest>,
    log: Vec<String>,
    /// Refuse the request that is logged as this.
    refuse: Option<String>,
    /// When this is logged, this tag appears with this image, or disappears where there is none:
    /// somebody else's release.
    meanwhile: Option<(String, &'static str, &'static str)>,
    cannot_untag: bool,
    /// Leave this tag out of lists, as a registry does whose lists are old.
    unlisted: Option<Tag>,
    /// Answer HEAD as if nothing existed.
    blind_head: bool,
}

fn manifest(name: &str) -> Manifest {
    let body =
        Bytes::from(format!("{{\"mediaType\":\"{}\",\"x\":\"{name}\"}}", MediaType::OCI_INDEX));
    Manifest::received(body, "", None).expect("typed")
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

impl Memory {
    fn new(tags: &str) -> Self {
        let store = Self::default();
        for pair in tags.split_whitespace() {
            let (name, image) = pair.split_once('=').expect("tag=image");
            store.state().set(name, image);
        }
        store
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }

    fn request(&self, line: &str) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut state = self.state();
        state.log.push(line.to_owned());
        if state.refuse.as_deref() == Some(line) {
            return Err(StoreError::new(Blame::Registry, format!("{line}: refused")));
        }
        if let Some((at, name, image)) = state.meanwhile.clone()
            && at == line
        {
            state.meanwhile = None;
            match image {
                "" => drop(state.tags.remove(&tag(name))),
                image => state.set(name, image),
            }
        }
        Ok(state)
    }

    /// Tags with the names of their images, for reading.
    fn tags_and_images(&self, images: &[&'static str]) -> Vec<String> {
        let state = self.state();
        let name = |digest: &Digest| {
            images.iter().find(|name| manifest(name).digest() == digest).expect("a known image")
        };
        state.tags.iter().map(|(tag, digest)| format!("{tag}={}", name(digest))).collect()
    }
}

impl State {
    fn set(&mut self, name: &str, image: &str) {
        let manifest = manifest(image);
        self.tags.insert(tag(name), manifest.digest().clone());
        self.manifests.insert(manifest.digest().clone(), manifest);
    }

    fn find(&self, selector: &Selector) -> Option<Manifest> {
        let digest = match selector {
            Selector::Tag(tag) => self.tags.get(tag)?,
            Selector::Digest(digest) => digest,
        };
        self.manifests.get(digest).cloned()
    }
}

#[async_trait]
impl Store for Memory {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        let state = self.request("list")?;
        let listed = state.tags.keys().filter(|tag| Some(*tag) != state.unlisted.as_ref());
        Ok(listed.cloned().collect())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let state = self.request(&format!("head {selector}"))?;
        if state.blind_head {
            return Ok(None);
        }
        Ok(state.find(selector).map(|manifest| manifest.descriptor().clone()))
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let line = match selector {
            Selector::Tag(tag) => format!("get {tag}"),
            Selector::Digest(_) => "get by digest".to_owned(),
        };
        Ok(self.request(&line)?.find(selector))
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let mut state = self.request(&format!("put {tag}"))?;
        state.tags.insert(tag.clone(), manifest.digest().clone());
        Ok(())
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        let mut state = self.request(&format!("untag {tag}"))?;
        if state.cannot_untag {
            return Err(StoreError::new(Blame::Unsupported, "untag"));
        }
        state.tags.remove(tag);
        Ok(())
    }
}

/// Nothing here ever waits, so one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

fn release(version: &str) -> Release {
    let version = version.parse().unwrap_or_else(|error| panic!("{error}"));
    Release::new(vec![version], AliasPolicy::default())
}

fn run(store: &Memory, release: &Release, source: &str) -> Applied {
    run_told(store, release, source, &|_| {})
}

fn run_told(store: &Memory, release: &Release, source: &str, told: Told<'_>) -> Applied {
    let target = Target { store, repository: "acme/cake", concurrency: 4 };
    let source = Selector::Tag(tag(source));
    let observation = now(target.observe(release, &source)).expect("observed");
    let plan = plan(release, &observation);
    now(target.apply_told(release, observation, &plan, told))
}

fn outcomes(report: &Report) -> Vec<String> {
    report.tags.iter().map(outcome).collect()
}

fn outcome(tag: &TagReport) -> String {
    let outcome = match &tag.outcome {
        Outcome::Created => "created",
        Outcome::Moved => "moved",
        Outcome::Kept { .. } => "kept",
        Outcome::Failed { .. } => "failed",
        Outcome::RolledBack => "rolled back",
        Outcome::Stranded { .. } => "stranded",
        Outcome::NotTried => "not tried",
    };
    format!("{} {outcome}", tag.tag)
}

#[test]
fn what_becomes_of_a_tag_is_told_when_it_does() {
    let store = Memory::new("1.2.3=a 1=old latest=old");
    store.state().refuse = Some("put latest".to_owned());
    let told = Mutex::new(Vec::new());
    let tell = |tag: &TagReport| {
        let requests = store.state().log.len();
        told.lock().expect("no panic").push((requests, outcome(tag)));
    };
    assert!(run_told(&store, &release("1.2.3"), "1.2.3", &tell).error.is_some());
    let told = told.into_inner().expect("no panic");
    let outcomes: Vec<_> = told.iter().map(|(_, outcome)| outcome.as_str()).collect();
    let expected = ["1.2 created", "1 moved", "latest failed", "1 rolled back", "1.2 rolled back"];
    assert_eq!(outcomes, expected);
    let request = |line: &str| store.state().log.iter().position(|own| own == line);
    assert!(request("put latest").is_some_and(|latest| told[1].0 <= latest), "{told:?}");
}

#[test]
fn rule_6_exact_tags_first_and_latest_last() {
    let store = Memory::new("build-7=a 1.2.2=old 1=old latest=old");
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(applied.error.is_none());
    assert_eq!(
        store.state().log,
        [
            "list",
            "get build-7",
            "head 1",
            "head latest",
            "get by digest",
            "put 1.2.3",
            "put 1.2",
            "put 1",
            "put latest",
            "list"
        ]
    );
    assert_eq!(
        outcomes(&applied.report),
        ["1.2.3 created", "1.2 created", "1 moved", "latest moved"]
    );
}

#[test]
fn nothing_to_do_reads_no_manifest_and_writes_nothing() {
    let store = Memory::new("1.2.3=a 1.2=a 1=a latest=a");
    let applied = run(&store, &release("1.2.3"), "1.2.3");
    assert!(applied.error.is_none() && applied.report.is_unchanged());
    assert_eq!(store.state().log, ["list", "head 1.2.3", "head 1", "head 1.2", "head latest"]);
}

#[test]
fn edge_4_get_decides_where_head_denies_what_is_listed() {
    let store = Memory::new("1.2.3=a 1.2=a 1=a latest=a");
    store.state().blind_head = true;
    let applied = run(&store, &release("1.2.3"), "1.2.3");
    assert!(applied.error.is_none() && applied.report.is_unchanged());
}

#[test]
fn without_a_guard_no_other_tag_is_read() {
    let store = Memory::new("1.2.3=a");
    let release = Release { guard: Guard::Off, ..release("1.2.3") };
    assert!(run(&store, &release, "1.2.3").error.is_none());
    assert_eq!(store.state().log, ["get 1.2.3", "get by digest", "put 1.2", "put 1", "put latest"]);
}

#[test]
fn rule_7_a_newer_release_that_appears_meanwhile_keeps_its_aliases() {
    let store = Memory::new("1.2.4=a 1.2.3=old 1.2=old 1=old latest=old");
    store.state().meanwhile = Some(("put 1.2".to_owned(), "1.3.0", "b"));
    let applied = run(&store, &release("1.2.4"), "1.2.4");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(applied.report.rounds, 2);
    assert_eq!(
        store.tags_and_images(&["a", "b", "old"]),
        ["1=b", "1.2=a", "1.2.3=old", "1.2.4=a", "1.3.0=b", "latest=b"]
    );
    let one = &applied.report.tags[2];
    assert_eq!((one.tag.as_str(), one.version.as_ref()), ("1", Some(&tag("1.3.0"))));
    assert_eq!(one.before, Previous::At(manifest("old").digest().clone()));
}

#[test]
fn rule_7_an_alias_that_was_right_before_its_version_existed_is_looked_at_again() {
    let pushed = "1.2.2=old 1=old latest=a";
    let store = Memory::new(pushed);
    assert!(run(&store, &release("1.3.0"), "latest").error.is_none());
    let state = store.state();
    assert_eq!(state.log[state.log.len() - 3..], ["put 1", "list", "head latest"]);
    drop(state);

    // Another run, which does not know of 1.3.0 yet.
    let store = Memory::new(pushed);
    store.state().meanwhile = Some(("put 1.3.0".to_owned(), "latest", "b"));
    let applied = run(&store, &release("1.3.0"), "latest");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(
        store.tags_and_images(&["a", "b", "old"]),
        ["1=a", "1.2.2=old", "1.3=a", "1.3.0=a", "latest=a"]
    );
}

#[test]
fn rule_7_an_exact_tag_that_another_run_took_back_is_written_again() {
    let store = Memory::new("build-7=a 1.2.3=a latest=old");
    store.state().meanwhile = Some(("put latest".to_owned(), "1.2.3", ""));
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(
        store.tags_and_images(&["a", "old"]),
        ["1=a", "1.2=a", "1.2.3=a", "build-7=a", "latest=a"]
    );
}

#[test]
fn an_exact_tag_that_was_not_asked_for_is_not_missed() {
    let store = Memory::new("build-7=a");
    let release = Release { only: Some([tag("1")].into()), ..release("1.2.3") };
    assert!(run(&store, &release, "build-7").error.is_none());
    assert_eq!(store.state().log, ["list", "get build-7", "get by digest", "put 1", "list"]);
}

#[test]
fn an_exact_tag_that_is_too_new_for_the_list_is_not_written_again() {
    let store = Memory::new("build-7=a latest=old");
    store.state().unlisted = Some(tag("1.2.3"));
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(applied.report.rounds, 1);
    let state = store.state();
    assert_eq!(state.log[state.log.len() - 3..], ["put latest", "list", "get 1.2.3"]);
}

#[test]
fn rule_8_a_failure_puts_back_what_was_moved_and_removes_what_was_created() {
    for (refused, expected) in [
        ("put 1.2.3", ["1.2.3 failed", "1.2 not tried", "1 not tried", "latest not tried"]),
        ("put 1", ["1.2.3 rolled back", "1.2 rolled back", "1 failed", "latest not tried"]),
        ("put latest", ["1.2.3 rolled back", "1.2 rolled back", "1 rolled back", "latest failed"]),
    ] {
        let store = Memory::new("build-7=a 1.2.2=old 1=old latest=old");
        let before = store.state().tags.clone();
        store.state().refuse = Some(refused.to_owned());
        let applied = run(&store, &release("1.2.3"), "build-7");
        assert!(matches!(applied.error, Some(ApplyError::Step(_))), "{refused}");
        assert_eq!(outcomes(&applied.report), expected, "{refused}");
        assert_eq!(store.state().tags, before, "{refused}");
    }
}

#[test]
fn rule_8_what_cannot_be_put_back_is_said() {
    let store = Memory::new("build-7=a latest=old");
    store.state().refuse = Some("put latest".to_owned());
    store.state().cannot_untag = true;
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert_eq!(
        outcomes(&applied.report),
        ["1.2.3 stranded", "1.2 stranded", "1 stranded", "latest failed"]
    );
}

#[test]
fn rule_8_what_somebody_else_moved_since_stays_theirs() {
    let store = Memory::new("build-7=a 1=old latest=old");
    store.state().refuse = Some("put latest".to_owned());
    store.state().meanwhile = Some(("put 1".to_owned(), "1.2", "b"));
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(applied.error.is_some());
    assert_eq!(
        store.tags_and_images(&["a", "b", "old"]),
        ["1=old", "1.2=b", "build-7=a", "latest=old"]
    );
}

#[test]
fn a_failed_write_that_took_place_all_the_same_is_put_back() {
    let store = Memory::new("build-7=a 1.2.2=old 1.2=old 1=old latest=old");
    let before = store.state().tags.clone();
    store.state().refuse = Some("put latest".to_owned());
    store.state().meanwhile = Some(("put 1".to_owned(), "latest", "a"));
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(applied.error.is_some());
    // `put latest` is refused on the way back too, so it stays where the registry has it.
    let latest = applied.report.tags.last().expect("four tags");
    assert_eq!(latest.now, Previous::At(manifest("a").digest().clone()));
    assert!(matches!(&latest.outcome, Outcome::Stranded { .. }), "{:?}", latest.outcome);
    // And so does the exact tag: no alias is left ahead of it.
    let mut expected = before;
    expected.insert(Tag::latest(), manifest("a").digest().clone());
    expected.insert(tag("1.2.3"), manifest("a").digest().clone());
    assert!(matches!(&applied.report.tags[0].outcome, Outcome::Stranded { .. }));
    assert_eq!(store.state().tags, expected);
}

#[test]
fn rule_6_an_exact_tag_that_another_run_builds_on_is_not_taken_back() {
    let store = Memory::new("build-7=a 1.2.2=old 1=old latest=old");
    store.state().refuse = Some("put latest".to_owned());
    store.state().meanwhile = Some(("untag 1.2.3".to_owned(), "1", "a"));
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(matches!(applied.error, Some(ApplyError::Step(_))));
    assert_eq!(
        store.tags_and_images(&["a", "old"]),
        ["1=a", "1.2.2=old", "1.2.3=a", "build-7=a", "latest=old"]
    );
    let exact = &applied.report.tags[0];
    assert_eq!(exact.now, Previous::At(manifest("a").digest().clone()));
    assert_eq!(exact.outcome, Outcome::Stranded { error: "1 is on it".to_owned() });
}

#[test]
fn a_plan_with_conflicts_writes_nothing() {
    let store = Memory::new("1.2.3=a build-7=b");
    let applied = run(&store, &release("1.2.3"), "build-7");
    assert!(matches!(applied.error, Some(ApplyError::Refused { .. })));
    assert!(!store.state().log.iter().any(|line| line.starts_with("put")));
}

#[test]
fn a_missing_source_names_the_nearest_tags() {
    let store = Memory::new("1.2.3=a 1.2.4=b 2.0.0=c latest=c");
    let target = Target { store: &store, repository: "acme/cake", concurrency: 4 };
    let source = Selector::Tag(tag("1.2.5"));
    let error = now(target.observe(&release("1.2.5"), &source)).expect_err("missing");
    assert_eq!(
        error.to_string(),
        "find 1.2.5 in acme/cake: there is no such image; \
         the nearest tags are 1.2.3, 1.2.4, 2.0.0"
    );
}

#[test]
fn a_failed_second_look_is_said_and_nothing_is_put_back() {
    let store = Memory::new("1.2.3=a");
    let target = Target { store: &store, repository: "acme/cake", concurrency: 4 };
    let release = release("1.2.3");
    let source = Selector::Tag(tag("1.2.3"));
    let observation = now(target.observe(&release, &source)).expect("observed");
    let plan = plan(&release, &observation);
    store.state().refuse = Some("list".to_owned());
    let applied = now(target.apply(&release, observation, &plan));
    assert!(matches!(applied.error, Some(ApplyError::Unverified { .. })));
    assert_eq!(store.tags_and_images(&["a"]), ["1=a", "1.2=a", "1.2.3=a", "latest=a"]);
}

//! The table in docs/events.md, made of the types.
//!
//! `BLESS=1 cargo test -p ocitag` writes it.

use std::fmt::Write as _;
use std::path::Path;

use plimsoll_registry::{BlobSkip, Digest, Previous, SkipReason, Tag, Total};

use super::*;

/// When an event is told.
fn when(event: &Event) -> &'static str {
    match event {
        Event::Looking { .. } => "A repository is about to be read.",
        Event::ManifestRead { .. } => "A manifest of the image to copy was read.",
        Event::CopyPlanned { .. } => {
            "What is to be copied is known: `read` is what is read from the source, once for all \
             destinations. A registry may decline to mount; then the blob is copied."
        }
        Event::BlobStarted { .. } => "The bytes of a blob begin to travel.",
        Event::BlobProgress { .. } => {
            "So many bytes of it were read: at most once a second for each blob, and less than \
             before when it is read again."
        }
        Event::BlobCopied { .. } => "A blob has arrived.",
        Event::BlobMounted { .. } => "A registry took a blob over from another repository.",
        Event::BlobSkipped { .. } => {
            "A blob is not copied. `reason.kind` is `foreign`, `there`, `below` or `unwanted`."
        }
        Event::ManifestWritten { .. } => "A manifest was written by its digest.",
        Event::DestinationFailed { .. } => "Nothing more is begun at a destination.",
        Event::TagPlanned { .. } => "A tag is to be written.",
        Event::TagKept { .. } => {
            "A tag stays as it is. `reason.kind` is as in a report; `differs` is the tag of \
             something attached."
        }
        Event::TagCreated { .. } => "A tag that did not exist was written.",
        Event::TagMoved { .. } => "A tag that was elsewhere was written.",
        Event::TagFailed { .. } => "A tag could not be written.",
        Event::TagRolledBack { .. } => "A tag was put back, because another one failed.",
        Event::TagStranded { .. } => "A tag was written and could not be put back.",
        Event::TagRemoved { .. } => "`ocitag untag` removed a tag.",
        Event::Log { .. } => "What `--verbose` adds, and what a registry warns of.",
        Event::Note { .. } => "Something to know.",
        Event::Warning { .. } => "Something to look after.",
        Event::Error(_) => "An error: these are the errors of `--output json`.",
        Event::Finished { .. } => "Always the last one.",
    }
}

/// One of each.
fn samples() -> Vec<Event> {
    let digest = Digest::sha256(b"cake");
    let old = Digest::sha256(b"bread");
    let (destination, repository) =
        ("ghcr.io/acme/cake".to_owned(), "ghcr.io/acme/cake".to_owned());
    let tag: Tag = "1.2".parse().expect("a tag");
    let (before, now) = (Previous::At(old.clone()), Previous::At(digest.clone()));
    let (size, error) = (2560, "write tag 1.2: the registry answered 500".to_owned());
    let message = "the password is not encrypted".to_owned();
    let total = |count| Total { count, bytes: count * size };
    let share =
        Share { destination: destination.clone(), copy: total(2), mount: total(1), skip: 3 };
    let blob = || (destination.clone(), digest.clone());
    let place = || (repository.clone(), tag.clone());
    let ((destination, digest), (repository, tag)) = (blob(), place());
    let newer = SkipReason::Newer { versions: vec![tag.clone()], digest: digest.clone() };
    vec![
        Event::Looking { repository: place().0 },
        Event::ManifestRead { digest: blob().1, size },
        Event::CopyPlanned { read: total(2), destinations: vec![share] },
        Event::BlobStarted { digest: blob().1, size },
        Event::BlobProgress { digest: blob().1, done: 1024 },
        Event::BlobCopied { destination: blob().0, digest: blob().1, size },
        Event::BlobMounted { destination: blob().0, digest: blob().1, size },
        Event::BlobSkipped {
            destination: blob().0,
            digest: blob().1,
            size,
            reason: BlobSkip::There,
        },
        Event::ManifestWritten { destination: blob().0, digest: blob().1 },
        Event::DestinationFailed { destination, error: error.clone() },
        Event::TagPlanned {
            repository: place().0,
            tag: place().1,
            before: before.clone(),
            target: blob().1,
        },
        Event::TagKept { repository: place().0, tag: place().1, reason: Kept::Release(newer) },
        Event::TagCreated { repository: place().0, tag: place().1, now: now.clone() },
        Event::TagMoved {
            repository: place().0,
            tag: place().1,
            before: before.clone(),
            now: now.clone(),
        },
        Event::TagFailed {
            repository: place().0,
            tag: place().1,
            now: before.clone(),
            error: error.clone(),
        },
        Event::TagRolledBack { repository: place().0, tag: place().1, now: before },
        Event::TagStranded { repository: place().0, tag: place().1, now, error: error.clone() },
        Event::TagRemoved { repository, tag, before: digest },
        Event::Log { message: "GET https://ghcr.io/v2/ 200".to_owned() },
        Event::Note { message: message.clone() },
        Event::Warning { message },
        Event::Error(Failure::local(format!("failed to {error}")).with_remedy("run it again")),
        Event::Finished { exit_code: 6 },
    ]
}

#[test]
fn there_is_a_sample_of_every_event() {
    let source = include_str!("../event.rs");
    let start = source.find("enum Event {").expect("the events");
    let variants = source[start..].lines().skip(1).take_while(|line| *line != "}");
    let name =
        |line: &str| -> String { line.chars().take_while(|c| c.is_alphanumeric()).collect() };
    let variants = variants.filter_map(|line| line.strip_prefix("    "));
    let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let variants: Vec<_> = variants.map(name).collect();
    let sampled: Vec<_> = samples().iter().map(|event| name(&format!("{event:?}"))).collect();
    assert!(variants.len() > 20, "{variants:?}");
    assert_eq!(sampled, variants);
}

#[test]
fn an_event_is_one_line_that_begins_with_schema_and_name() {
    for event in samples() {
        let json = event.json();
        assert!(json.starts_with(r#"{"schema":1,"event":""#), "{json}");
        assert!(!json.contains('\n'), "{json}");
    }
    let told = Event::Note { message: "a\n::error::b\u{1b}[2J".to_owned() }.json();
    assert!(!told.contains(['\n', '\u{1b}']), "{told}");
}

#[test]
fn the_page_on_events_has_every_event() {
    const START: &str = "<!-- generated from cli/src/event.rs; BLESS=1 cargo test -p ocitag -->\n";
    let mut table = "\n| event | |\n|---|---|\n".to_owned();
    let mut examples = "\n```json\n".to_owned();
    for event in samples() {
        let json = event.json();
        let name = json.split('"').nth(5).expect("its name");
        // Infallible: writing to a String.
        let _ = writeln!(table, "| `{name}` | {} |", when(&event));
        let _ = writeln!(examples, "{json}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let page = std::fs::read_to_string(&path).expect("docs/events.md");
    let (text, _) = page.split_once(START).expect("where the table goes");
    let told = format!("{text}{START}{table}\nOne of each:\n{examples}```\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &told).expect("docs/events.md written");
        return;
    }
    assert_eq!(page, told);
}

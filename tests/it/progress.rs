//! What `ocitag` says while it works: lines for people, events for programs, GitHub Actions.

use std::path::Path;

use plimsoll_registry::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};
use serde_json::Value;

use crate::TestResult;
use crate::ocitag::{Ocitag, Run};

/// The example layout, as an image of it.
fn example(tag: &str) -> String {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cake-service/layout");
    format!("oci:{}:{tag}", layout.display())
}

/// Every line of stderr, each of which is an event.
#[track_caller]
fn events(run: &Run) -> Vec<Value> {
    let parse = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    };
    let events: Vec<Value> = run.stderr.lines().map(parse).collect();
    assert!(events.iter().all(|event| event["schema"] == 1), "{events:?}");
    let finished = events.last().expect("an event");
    assert_eq!((&finished["event"], &finished["exitCode"]), (&"finished".into(), &run.code.into()));
    events
}

/// `field` of every event called `name`.
fn all(events: &[Value], name: &str, field: &str) -> Vec<String> {
    let named = events.iter().filter(|event| event["event"] == name);
    named.map(|event| event[field].to_string().trim_matches('"').to_owned()).collect()
}

#[test]
fn a_copy_has_a_line_for_everything_that_arrives_and_none_when_quiet() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let [one, two] = ["one", "two"].map(|name| format!("{}/acme/{name}", fake.host()));
    let run = Ocitag::new().run(["promote", "--semver", "1.3.0", &example("1.3.0"), &one]);
    let lines = run.progress();
    let count = |verb: &str| lines.iter().filter(|line| line.starts_with(verb)).count();
    assert!(lines[0].ends_with("/acme/one: copy 5 blobs (12.01 kB), mount 0, skip 0"), "{lines:?}");
    assert_eq!((count("copied"), count("wrote manifest"), count("tagged")), (5, 3, 4), "{lines:?}");
    assert!(!run.stdout.contains("tagged"), "progress is never on stdout: {}", run.stdout);

    let mounted = Ocitag::new().run(["promote", &format!("{one}:1.3.0"), &two]);
    let mounts = mounted.progress().iter().filter(|line| line.starts_with("mounted")).count();
    assert_eq!(mounts, 5, "{mounted:?}");

    let quiet = Ocitag::new().run(["promote", "--quiet", &example("1.2.4"), &one]);
    assert_eq!((quiet.code, quiet.stderr.as_str(), quiet.stdout.as_str()), (0, "", ""));
}

#[test]
fn a_release_alone_is_silent_unless_asked() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    let image = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["--semver", "1.2.3", &image]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let run =
        Ocitag::new().run(["-v", "--semver", "1.2.3", "--tag", "slim", &format!("{image}:1.2.3")]);
    assert_eq!(run.progress().len(), 4, "{run:?}");
}

#[test]
fn events_of_a_release_say_what_each_tag_was_and_is() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let image = format!("{}/acme/cake", fake.host());
    let old = fake.seed_image("acme/cake", "1.2.2", &["linux/arm64"]);
    fake.tag("acme/cake", "1.2", &old);
    let new = fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    let run = Ocitag::new().run(["--events", "json", "--semver", "1.2.3", &image]);
    let told = events(&run);
    assert_eq!(all(&told, "tagPlanned", "tag"), ["1.2", "1", "latest"]);
    assert_eq!(all(&told, "tagKept", "tag"), ["1.2.3"]);
    assert_eq!(all(&told, "tagCreated", "tag"), ["1", "latest"]);
    let moved = told.iter().find(|event| event["event"] == "tagMoved").expect("1.2 moved");
    assert_eq!(moved["before"]["at"], old.as_str());
    assert_eq!(moved["now"]["at"], new.as_str());
    assert_eq!(moved["repository"], *image);
    assert!(run.stdout.contains("moved"), "the report stays on stdout: {}", run.stdout);
}

#[test]
fn events_of_a_release_that_fails_end_with_the_error() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(Answer::new(403))).always());
    let image = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().env("OCITAG_EVENTS", "json").run(["--semver", "1.2.3", &image]);
    let told = events(&run);
    assert_eq!(all(&told, "tagFailed", "tag"), ["latest"]);
    let mut back = all(&told, "tagRolledBack", "tag");
    back.sort();
    assert_eq!(back, ["1", "1.2"]);
    let errors = all(&told, "error", "message");
    assert!(errors.len() == 1 && errors[0].contains("latest"), "{errors:?}");
    assert_eq!(all(&told, "error", "exitCode"), ["5"]);

    let run = Ocitag::new().run(["--events", "json", "--semver", "1.2", &image]);
    assert_eq!(all(&events(&run), "error", "exitCode"), ["2"]);
}

#[test]
fn events_of_a_copy_are_in_the_order_of_the_work() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let to = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["promote", "-vv", "--events=json", &example("1.3.0"), &to]);
    let told = events(&run);
    let names: Vec<_> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    let last = |name: &str| names.iter().rposition(|own| *own == name).expect(name);
    let order = ["copyPlanned", "blobStarted", "blobCopied", "manifestWritten", "tagCreated"];
    assert!(order.windows(2).all(|pair| last(pair[0]) < last(pair[1])), "{names:?}");
    assert!(names.contains(&"log"), "-vv is told in events too: {names:?}");
    let planned = told.iter().find(|event| event["event"] == "copyPlanned").expect("a plan");
    assert_eq!(planned["read"]["count"], 5);
    assert_eq!(planned["destinations"][0]["destination"], *to);
    assert_eq!(all(&told, "blobCopied", "size").len(), 5);
}

#[test]
fn events_of_untag_and_dcd() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    let image = format!("{}/acme/cake", fake.host());
    let ocitag = Ocitag::new().env("OCITAG_EVENTS", "json");
    let source = format!("{image}:1.2.3");
    let told = events(&ocitag.run(["dcd", "-V", "1.2.3", "-S", "-L", &source, "--executable=x"]));
    assert_eq!(all(&told, "tagCreated", "tag"), ["1.2", "1", "latest"]);
    assert_eq!(all(&told, "warning", "message").len(), 1, "{told:?}");
    let told = events(&ocitag.run(["untag", &format!("{image}:latest")]));
    assert_eq!(all(&told, "tagRemoved", "tag"), ["latest"]);
}

#[test]
fn github_actions_gets_outputs_and_a_summary() -> TestResult {
    let fake = FakeRegistry::start(FakeOptions::default());
    let old = fake.seed_image("acme/cake", "1.3.0", &["linux/arm64"]);
    fake.tag("acme/cake", "1", &old);
    fake.tag("acme/cake", "latest", &old);
    let digest = fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    let image = format!("{}/acme/cake", fake.host());
    let directory = tempfile::tempdir()?;
    let [output, summary] = ["output", "summary"].map(|name| directory.path().join(name));
    std::fs::write(&output, "earlier=1\n")?;
    let ocitag = Ocitag::new()
        .env("GITHUB_OUTPUT", &output.display().to_string())
        .env("GITHUB_STEP_SUMMARY", &summary.display().to_string());
    ocitag.run(["--semver", "1.2.3", &image]).ok();
    let list = |name: &str, value: &str| format!("{name}<<PLIMSOLL\n{value}\nPLIMSOLL\n");
    let outputs = ["earlier=1\n".to_owned(), list("digest", digest.as_str())];
    let outputs = outputs.into_iter().chain([list("version", "1.2.3")]);
    let outputs: String = outputs.chain([list("tags", &format!("{image}:1.2"))]).collect();
    assert_eq!(std::fs::read_to_string(&output)?, outputs);
    let told = std::fs::read_to_string(&summary)?;
    let rows: Vec<_> = told.lines().filter(|line| line.contains("acme/cake")).collect();
    assert_eq!(rows.len(), 4, "{told}");
    assert!(rows[1].ends_with("| created |") && rows[3].contains("1.3.0 is newer"), "{told}");

    // A conflict is told too, and a file that cannot be written is no reason to fail.
    let other = format!("{image}:1.3.0");
    ocitag.run(["--semver", "1.2.3", &other]).fails(3, &["--force"]);
    assert!(std::fs::read_to_string(&summary)?.contains("**Failed**"));
    let ocitag = ocitag.env("GITHUB_OUTPUT", "/nonexistent/output");
    let run = ocitag.run(["--semver", "1.2.3", &image]);
    assert_eq!(run.code, 0);
    assert!(run.stderr.starts_with("warning: ") && run.stderr.contains("GITHUB_OUTPUT"), "{run:?}");
    Ok(())
}

#[test]
fn what_a_server_says_obeys_no_runner() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let to = format!("{}/acme/cake", fake.host());
    let hostile = Answer::error(403, "DENIED", "a\n::set-output name=x::y\u{1b}[2J##[error]z");
    fake.fail(FaultRule::on("POST", "/blobs/uploads/", Fault::Answer(hostile)).always());
    let run = Ocitag::new().run(["promote", &example("1.3.0"), &to]);
    assert_eq!(run.code, 5, "{run:?}");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("set-output"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains("##["), "{said:?}");
    assert!(!said.lines().any(|line| line.trim_start().starts_with("::")), "{said:?}");
}

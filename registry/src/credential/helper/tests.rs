use std::process::Command as StdCommand;
use std::time::Instant;

use super::*;

/// Writes an executable script. Another process does it: were the file ever open for writing in
/// this one, a helper that another test starts at that moment would inherit it, and a program
/// that is open for writing cannot be run.
pub(in crate::credential) fn install(directory: &Path, name: &str, script: &str) {
    let status = StdCommand::new("sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(directory.join(format!("docker-credential-{name}")))
        .arg(script)
        .status()
        .unwrap();
    assert!(status.success());
}

/// An environment in which `directory` comes first on PATH.
pub(in crate::credential) fn path(directory: &Path) -> String {
    format!("{}:/usr/bin:/bin", directory.display())
}

async fn run(script: &str) -> Result<Option<Credential>, HelperError> {
    let directory = tempfile::tempdir().unwrap();
    install(directory.path(), "test", script);
    let environment = Environment::from_pairs([("PATH", path(directory.path()))]);
    Helper::new("test").unwrap().get("ghcr.io", &environment).await
}

/// A helper that keeps one entry a file, as it was sent to it, and the verbs in `verbs`.
pub(in crate::credential) const KEEPING: &str = r#"
    mkdir -p "$HOME/kept"; input=$(cat); echo "$1" >> "$HOME/verbs"
    file() { printf %s "$HOME/kept/$(printf %s "$1" | tr / _)"; }
    case $1 in
    store) server=${input#*'"ServerURL":"'}; printf %s "$input" > "$(file "${server%%'"'*}")" ;;
    get) cat "$(file "$input")" 2>/dev/null || { echo 'credentials not found in test'; exit 1; } ;;
    erase) rm "$(file "$input")" 2>/dev/null || { echo 'credentials not found in test'; exit 1; } ;;
    list) printf '{'; s=
        for f in "$HOME"/kept/*; do
            test -e "$f" && printf '%s"%s":"me"' "$s" "${f##*/}" | tr _ / && s=,
        done; printf '}' ;;
    esac"#;

#[tokio::test]
async fn what_it_stores_it_lists_and_gives_back_until_it_is_erased() {
    let directory = tempfile::tempdir().unwrap();
    install(directory.path(), "test", KEEPING);
    let home = directory.path().display().to_string();
    let pairs = [("PATH", path(directory.path())), ("HOME", home)];
    let environment = Environment::from_pairs(pairs);
    let helper = Helper::new("test").unwrap();
    let password = Secret::new("a\"b\\c:é");
    assert_eq!(helper.list(&environment).await.unwrap(), Some(Vec::new()));
    helper.store("ghcr.io", "me", &password, &environment).await.unwrap();
    assert_eq!(helper.list(&environment).await.unwrap(), Some(vec!["ghcr.io".to_owned()]));
    let kept = Credential::Basic { username: "me".to_owned(), password };
    assert_eq!(helper.get("ghcr.io", &environment).await.unwrap(), Some(kept));
    assert!(helper.erase("ghcr.io", &environment).await.unwrap());
    assert_eq!(helper.get("ghcr.io", &environment).await.unwrap(), None);
    assert!(!helper.erase("ghcr.io", &environment).await.unwrap());
}

#[tokio::test]
async fn edge_39_a_helper_says_why_it_did_not_store_and_not_what() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment::from_pairs([("PATH", path(directory.path()))]);
    let password = Secret::new("hun\"t<er2");
    for (script, message) in [
        ("echo 'pass not initialized'; exit 1", ": pass not initialized"),
        ("echo locked >&2; exit 1", ": locked"),
        ("echo 'bad hun\"t<er2!'; exit 1", ": bad <redacted>!"),
        ("cat; exit 1", ""),
        ("cat >&2; exit 1", ""),
        (r#"echo '{"Secret":"hun\"t\u003cer2"}' >&2; exit 1"#, ""),
    ] {
        install(directory.path(), "test", script);
        let helper = Helper::new("test").unwrap();
        let error = helper.store("ghcr.io", "me", &password, &environment).await.unwrap_err();
        assert_eq!(error.to_string(), format!("it failed (exit status: 1){message}"), "{script}");
        assert!(!format!("{error:?}").contains("er2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_helper_that_cannot_list_says_nothing_of_what_it_keeps() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment::from_pairs([("PATH", path(directory.path()))]);
    for script in ["exit 1", "echo '{}'; exit 1", "echo null", "echo Unknown action"] {
        install(directory.path(), "test", script);
        let helper = Helper::new("test").unwrap();
        assert_eq!(helper.list(&environment).await.unwrap(), None, "{script}");
    }
}

#[tokio::test]
async fn it_is_asked_on_stdin_and_answers_on_stdout() {
    let script = r#"read server; test "$1" = get && test "$server" = ghcr.io || exit 1
        printf '{"ServerURL":"%s","Username":"me","Secret":"a:b"}' "$server""#;
    let basic = Credential::Basic { username: "me".to_owned(), password: Secret::new("a:b") };
    assert_eq!(run(script).await.unwrap(), Some(basic));
}

#[tokio::test]
async fn edge_29_the_user_token_means_an_identity_token() {
    let script = r#"printf '{"Username":"<token>","Secret":"refresh"}'"#;
    let token = Credential::IdentityToken(Secret::new("refresh"));
    assert_eq!(run(script).await.unwrap(), Some(token));
}

#[tokio::test]
async fn edge_38_not_found_is_no_error() {
    for script in [
        "echo 'credentials not found in native keychain'; exit 1",
        "echo 'Error: Credentials not found' >&2; exit 2",
        "echo 'credentials not found in native keychain'",
        r#"printf '{"Username":"","Secret":""}'"#,
    ] {
        assert_eq!(run(script).await.unwrap(), None, "{script}");
    }
}

#[tokio::test]
async fn edge_39_a_failure_repeats_stderr_on_one_clean_line_and_never_stdout() {
    let script = r#"echo '{"Secret":"hunter2"}'; printf 'no \033[31magent\r\n::error::x' >&2
        exit 3"#;
    let error = run(script).await.unwrap_err();
    assert_eq!(error.to_string(), "it failed (exit status: 3): no [31magent ::error::x");
    assert!(!format!("{error:?}").contains("hunter2"));

    let long = run("i=0; while test $i -lt 200; do echo aaaaaaaaaa >&2; i=$((i+1)); done; exit 1");
    let text = long.await.unwrap_err().to_string();
    assert!(text.chars().count() < MESSAGE_LIMIT + 40 && text.ends_with('…'), "{text}");

    assert_eq!(run("exit 1").await.unwrap_err().to_string(), "it failed (exit status: 1)");
}

#[tokio::test]
async fn edge_39_an_answer_that_is_no_answer_is_not_repeated() {
    for script in [
        "echo hunter2",
        r#"echo '{"Username":"me","Secret":["hunter2"]}'"#,
        r#"echo '{"Username":"hunter2"}'"#,
        "true",
    ] {
        let error = run(script).await.unwrap_err();
        assert!(matches!(error, HelperError::Answer), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_helper_that_fills_its_pipes_before_it_reads_is_not_stuck() {
    let script = r#"dd if=/dev/zero bs=1024 count=3000 >&2 2>/dev/null || exit 1; read server
        printf '{"Username":"me","Secret":"s"}'"#;
    assert!(run(script).await.unwrap().is_some());
}

#[tokio::test]
async fn a_helper_may_answer_without_reading_the_question() {
    let directory = tempfile::tempdir().unwrap();
    install(directory.path(), "deaf", r#"printf '{"Username":"me","Secret":"s"}'"#);
    let environment = Environment::from_pairs([("PATH", path(directory.path()))]);
    // More than a pipe holds, so that the rest of it is still being written at the end.
    let question = "a".repeat(1024 * 1024);
    assert!(Helper::new("deaf").unwrap().get(&question, &environment).await.unwrap().is_some());
}

#[tokio::test]
async fn a_helper_sees_the_given_environment_and_nothing_else() {
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
    let script = r#"printf '{"Username":"%s","Secret":"s"}' "${CARGO_PKG_NAME-none}""#;
    let none = Credential::Basic { username: "none".to_owned(), password: Secret::new("s") };
    assert_eq!(run(script).await.unwrap(), Some(none));
}

#[tokio::test]
async fn a_helper_that_never_ends_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    install(directory.path(), "slow", "echo $$ > \"$PID_FILE\"; exec sleep 1000");
    let pairs = [("PATH", path(directory.path())), ("PID_FILE", pid.display().to_string())];
    let environment = Environment::from_pairs(pairs);
    let timeout = Duration::from_millis(500);
    let slow = Helper::new("slow").unwrap();
    let error = slow.run_within(timeout, "get", b"ghcr.io", &environment).await.err().unwrap();
    assert_eq!(error.to_string(), "it did not answer within 500ms and was killed");

    let pid = std::fs::read_to_string(pid).unwrap();
    let alive = || StdCommand::new("kill").args(["-0", pid.trim()]).output().unwrap();
    let start = Instant::now();
    while alive().status.success() {
        assert!(start.elapsed() < Duration::from_secs(10), "helper {pid} still runs");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn edge_38_a_helper_s_name_is_no_path() {
    for bad in ["", "../x", "a/b", "a\\b", "a b", "a\0", "é", "$(x)", &"a".repeat(101)] {
        assert_eq!(Helper::new(bad), None, "{bad:?}");
    }
    for good in ["ecr-login", "desktop.exe", "osxkeychain", "secret_service", "..", "1"] {
        assert_eq!(Helper::new(good).unwrap().program(), format!("docker-credential-{good}"));
    }
}

#[tokio::test]
async fn only_programs_in_absolute_directories_of_the_given_path_are_run() {
    let directory = tempfile::tempdir().unwrap();
    install(directory.path(), "ok", r#"printf '{"Username":"me","Secret":"s"}'"#);
    std::fs::write(directory.path().join("docker-credential-plain"), "no program").unwrap();
    std::fs::create_dir(directory.path().join("docker-credential-directory")).unwrap();
    let here = path(directory.path());
    let up = "../".repeat(std::env::current_dir().unwrap().components().count() - 1);
    let relative = format!("{up}{}", directory.path().strip_prefix("/").unwrap().display());
    assert!(Path::new(&relative).join("docker-credential-ok").exists());
    for (name, path, found) in [
        ("ok", here.as_str(), true),
        ("plain", &here, false),
        ("directory", &here, false),
        ("ok", "/nowhere", false),
        ("ok", "", false),
        ("ok", &relative, false),
    ] {
        let environment = Environment::from_pairs([("PATH", path)]);
        let result = Helper::new(name).unwrap().get("ghcr.io", &environment).await;
        assert_eq!(result.is_ok(), found, "{name} on {path:?}: {result:?}");
        assert!(found || matches!(result, Err(HelperError::NotOnPath)));
    }
}

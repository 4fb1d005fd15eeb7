use std::cell::Cell;
use std::error::Error as _;
use std::sync::Barrier;
use std::thread;

use super::*;

fn secret() -> Secret {
    Secret::new("bWU6cA==")
}

fn stored(text: &str, key: &str) -> String {
    with_entry(text, key, Some(&secret()), |_| false)
}

#[test]
fn a_new_file_has_the_form_of_docker_s() {
    let text = stored(EMPTY, "ghcr.io");
    assert_eq!(text, "{\n\t\"auths\": {\"ghcr.io\":{\"auth\":\"bWU6cA==\"}}\n}\n");
    parse_docker_config(text.as_bytes()).unwrap();
}

#[test]
fn nothing_changes_but_the_entry() {
    let before = r#"{
	"proxies": {"default": {"z": 1.50, "n": 123456789012345678901234567890}},
	"auths": {
		"quay.io": {
			"auth": "b3RoZXI6cA==", "email": "o@x"
		},
		"ghcr.io": {"email": "me@x", "identitytoken": "old", "auth": "b2xkOnA="}
	},
	"zz": 1e400, "aa": "\u00e9\/"
}"#;
    let new = r#"{"email": "me@x", "auth": "bWU6cA=="}"#;
    let old = r#"{"email": "me@x", "identitytoken": "old", "auth": "b2xkOnA="}"#;
    assert_eq!(stored(before, "ghcr.io"), before.replace(old, new));
    let entry = format!("{old},\n\t\t\"a.io\": {{\"auth\":\"bWU6cA==\"}}");
    assert_eq!(stored(before, "a.io"), before.replace(old, &entry));
    let by_helper = with_entry(before, "ghcr.io", None, |_| false);
    assert_eq!(by_helper, before.replace(old, r#"{"email": "me@x"}"#));
    let member = format!(",\n\t\t\"ghcr.io\": {old}");
    assert_eq!(without_entries(before, |key| key == "ghcr.io"), before.replace(&member, ""));
    assert_eq!(without_entries(before, |_| false), before);
}

#[test]
fn what_is_absent_null_or_twice_is_one_entry_afterwards() {
    let entry = r#"{"auth":"bWU6cA=="}"#;
    for (before, after) in [
        ("{}", r#"{"auths":{"a.io":E}}"#),
        (r#"{"auths":null}"#, r#"{"auths":{"a.io":E}}"#),
        (r#"{"auths":{"a.io":null}}"#, r#"{"auths":{"a.io":E}}"#),
        (
            r#"{"auths":{"a.io":{"auth":"eA=="},"b":{},"a.io":{}}}"#,
            r#"{"auths":{"b":{},"a.io":E}}"#,
        ),
        (r#"{"auths":{"A.io":{},"b":{}}}"#, r#"{"auths":{"b":{},"a.io":E}}"#),
    ] {
        let text = with_entry(before, "a.io", Some(&secret()), |key| key == "A.io");
        assert_eq!(text, after.replace('E', entry));
    }
    assert_eq!(
        with_entry(r#"{"auths":{"a.io":null}}"#, "a.io", None, |_| false),
        r#"{"auths":{"a.io":{}}}"#
    );
    let twice = r#"{"auths":{"a.io":{},"a.io":{}}}"#;
    assert_eq!(without_entries(twice, |key| key == "a.io"), r#"{"auths":{}}"#);
}

#[test]
fn two_writers_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(directory.path().join("new/config.json"));
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for writer in 0..8 {
            let (file, start) = (&file, &start);
            scope.spawn(move || {
                start.wait();
                for entry in 0..5 {
                    let key = format!("w{writer}e{entry}.io");
                    assert!(file.edit(|text| stored(text, &key)).unwrap());
                }
            });
        }
    });
    let text = fs::read_to_string(file.path()).unwrap();
    let auths = json::get(&text, "auths").unwrap();
    assert_eq!(json::Parts::object(auths, 0..auths.len()).unwrap().parts.len(), 40);
    assert_eq!(fs::read_dir(directory.path().join("new")).unwrap().count(), 1);
}

#[test]
fn a_writer_that_knows_no_lock_loses_nothing_either() {
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(directory.path().join("config.json"));
    let looks = Cell::new(0);
    let edit = |text: &str| {
        looks.set(looks.get() + 1);
        // The first two looks are whether there is anything to do.
        if looks.get() == 2 {
            fs::write(file.path(), r#"{"auths":{"docker.example":{}}}"#).unwrap();
        }
        stored(text, "a.io")
    };
    assert!(file.edit(edit).unwrap());
    let text = fs::read_to_string(file.path()).unwrap();
    assert_eq!(text, r#"{"auths":{"docker.example":{},"a.io":{"auth":"bWU6cA=="}}}"#);

    let never_the_same = |text: &str| {
        looks.set(looks.get() + 1);
        fs::write(file.path(), format!("{{\"n\":{}}}", looks.get())).unwrap();
        stored(text, "b.io")
    };
    let error = file.edit(never_the_same).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("keep changing"), "{error:?}");
}

#[test]
fn what_is_no_credential_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let file = AuthFile::new(path.clone());
    let bad: [&[u8]; 7] = [
        b"{\"auths\":{\"a.io\":{\"auth\":\"hunter2\"}}",
        b"hunter2",
        b"[{}, {}, null]",
        b"null",
        b"{\"auths\":[\"hunter2\"]}",
        b"{\"auths\":{},\"auths\":{}}",
        b"{\"x\":\"\xff\"}",
    ];
    for bad in bad {
        fs::write(&path, bad).unwrap();
        let error = file.edit(|text| stored(text, "b.io")).unwrap_err();
        assert!(matches!(error, KeyringError::Read(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), bad);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn edge_39_file_and_directory_are_the_user_s_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = AuthFile::new(directory.path().join("a/b/config.json"));
        file.edit(|text| stored(text, "a.io")).unwrap();
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(mode(&directory.path().join("a")), 0o700);
        assert_eq!(mode(&directory.path().join("a/b")), 0o700);

        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        file.edit(|text| stored(text, "b.io")).unwrap();
        assert_eq!(mode(file.path()), 0o600);
    }

    #[test]
    fn links_are_followed_also_where_nothing_is_yet() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        symlink("second", at("config.json")).unwrap();
        symlink("real/config.json", at("second")).unwrap();
        let file = AuthFile::new(at("config.json"));
        for (key, count) in [("a.io", 1), ("b.io", 2)] {
            file.edit(|text| stored(text, key)).unwrap();
            assert!(at("config.json").is_symlink() && at("second").is_symlink());
            let text = fs::read_to_string(at("real/config.json")).unwrap();
            assert_eq!(text.matches("bWU6cA==").count(), count);
        }
    }

    #[test]
    fn a_device_or_directory_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let _socket = UnixListener::bind(&path).unwrap();
        for path in [path, directory.path().to_owned()] {
            let error = AuthFile::new(path.clone()).edit(|text| stored(text, "a.io")).unwrap_err();
            assert!(matches!(error, KeyringError::NoFile(_)), "{error:?}");
            assert!(path.exists());
        }
    }

    #[test]
    fn what_cannot_be_written_is_named_with_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        // A file in the way of the directory: not even the superuser can make it.
        let file = AuthFile::new(directory.path().join("file/config.json"));
        let error = file.edit(|text| stored(text, "a.io")).unwrap_err();
        assert!(matches!(error, KeyringError::Write { .. }), "{error:?}");
        assert!(error.remedy().contains("file/config.json"), "{}", error.remedy());
        assert!(!file.edit(|text| without_entries(text, |_| true)).unwrap());
    }
}

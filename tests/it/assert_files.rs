//! Files of containers, with and without a shell in them.

use plimsoll_harness::assert::files::{
    self, absent, directory, no_setuid, no_world_writable, regular, socket, symlink,
};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{ObserveError, Observed, eventually};
use plimsoll_harness::{LogWait, Mount, require_docker};

use crate::TestResult;
use crate::assert_services::{NEVER, bakery, shell};

#[tokio::test]
async fn permissions_of_an_application() -> TestResult {
    let engine = require_docker!();
    let bakery =
        bakery(&engine).await?.cmd(["gunicorn", "-b", "unix:/tmp/web.sock", "bakery.wsgi"]);
    let bakery = bakery.start().await?;
    let state = directory().mode(0o750).owner("baker").group("baker");
    files::at(&bakery, "/var/lib/bakery").await?.assert(&state)?;
    // Created by the entrypoint, when it migrates.
    let database = regular().mode(0o644).owner("baker").content(matching("^SQLite format 3\0"));
    files::read(&bakery, "/var/lib/bakery/db.sqlite3").await?.assert(&database)?;
    let program = regular().mode(0o755).owner("root").group("root").size_at_most(200);
    files::at(&bakery, "/usr/local/bin/entrypoint").await?.assert(&program)?;
    files::at(&bakery, "/usr/bin/python3").await?.assert(&symlink("python3.11"))?;
    // No archive can hold a socket: its owner is seen from inside.
    files::stat(&bakery, "/tmp/web.sock").await?.assert(&socket())?;
    files::at(&bakery, "/tmp/web.sock").await?.assert(&socket().owner("baker").group("baker"))?;
    let wrong = files::at(&bakery, "/var/lib/bakery").await?;
    let message = wrong.assert(&directory().owner("root")).unwrap_err().to_string();
    assert!(message.contains("owner: expected `root`, found `baker` ("), "{message}");
    Ok(())
}

#[tokio::test]
async fn scans_name_every_offender() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?.start().await?;
    files::under(&bakery, "/srv/bakery").await?.assert(&no_world_writable())?;
    files::under(&bakery, "/srv").await?.assert(&no_setuid())?;
    // Debian's own.
    let programs = files::under(&bakery, "/usr/bin/").await?;
    let mismatch = programs.assert(&no_setuid()).unwrap_err();
    assert!(mismatch.differences.iter().any(|difference| difference.place == "/usr/bin/su"));
    let allowed = no_setuid().except(matching("^/usr/bin/[a-z]+$"));
    programs.assert(&allowed)?;
    Ok(())
}

#[tokio::test]
async fn edge_distroless_image_of_one_file_can_be_looked_at_and_need_not_run() -> TestResult {
    let engine = require_docker!();
    let script = "umask 0; mkdir -p /data; echo open >/data/open; echo done; exit 0";
    let ready = LogWait::stdout("done").within(NEVER);
    let container = shell(&engine, "bare", script).await?.ready(ready).start().await?;
    container.wait_exit(NEVER).await?;
    let program = regular().mode(0o755).owner("root").group("0");
    files::at(&container, "/busybox").await?.assert(&program)?;
    files::read(&container, "/data/open").await?.assert(&regular().content("open\n"))?;
    assert!(files::exists(&container, "/data").await?);
    assert!(!files::exists(&container, "/bin/sh").await?);
    let nothing = files::at(&container, "/data/opn").await?;
    nothing.assert(&absent())?;
    assert_eq!(
        nothing.assert(&regular()).unwrap_err().to_string(),
        "match file `/data/opn` of `bare`\n  \
         kind: expected a regular file, found nothing; nearest is `/data/open`"
    );
    let nowhere = files::read(&container, "/data/deep/down/file").await?;
    assert_eq!(nowhere.nearest.as_deref(), Some("the directory `/data`"));
    let error = files::under(&container, "/nothing").await.unwrap_err();
    assert!(matches!(error, ObserveError::Absent { .. }), "{error}");
    assert_eq!(error.to_string(), "look at file `/nothing` of `bare`: there is none");
    let all = files::under(&container, "/").await?;
    assert!(all.files.iter().any(|file| file.path == "/busybox"), "{all:?}");
    let mismatch = all.assert(&no_world_writable()).unwrap_err();
    let places: Vec<_> = mismatch.differences.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(places, ["/data", "/data/open"]);
    Ok(())
}

/// What follows a large file's header is neither read nor waited for.
#[tokio::test]
async fn looking_at_a_large_file_does_not_read_it() -> TestResult {
    let engine = require_docker!();
    let script = "/busybox truncate -s 3G /large; echo done; exec /busybox sleep 600";
    let ready = LogWait::stdout("done").within(NEVER);
    let container = shell(&engine, "large", script).await?.ready(ready).start().await?;
    let found = files::at(&container, "/large").await?;
    assert_eq!((found.size, &found.content), (3 << 30, &None));
    let message = found.assert(&regular().size_at_most(1 << 20)).unwrap_err().to_string();
    assert!(
        message.contains("expected at most 1048576 bytes (1.0 MiB), found 3221225472 bytes"),
        "{message}"
    );
    let message = files::read(&container, "/large").await.unwrap_err().to_string();
    assert!(message.contains("it has 3221225472 bytes (3072.0 MiB), and no more"), "{message}");
    Ok(())
}

/// The engine's archive shows what the image has there, which is not what the programs see.
#[tokio::test]
async fn what_lies_in_memory_is_looked_at_from_inside() -> TestResult {
    let engine = require_docker!();
    let script = "umask 027; echo 7 >/run/web.pid; /busybox ln -s web.pid /run/link; \
                  /busybox chown 12:34 /run/web.pid; echo done; exec /busybox sleep 600";
    let container = shell(&engine, "memory", script)
        .await?
        .file("/run/web.pid", "that of the image", 0o600)
        .mount(Mount::tmpfs("/run"))
        .ready(LogWait::stdout("done").within(NEVER))
        .start()
        .await?;
    let pid = regular().mode(0o640).owner("12").group("34").size_at_most(2).content("7\n");
    files::read(&container, "/run/web.pid").await?.assert(&pid)?;
    files::at(&container, "/run/link").await?.assert(&symlink("web.pid"))?;
    files::stat(&container, "/run").await?.assert(&directory())?;
    files::at(&container, "/run/other.pid").await?.assert(&absent())?;
    assert!(!files::exists(&container, "/run/other.pid").await?);
    let limits = regular().content(matching("Max open files"));
    files::read(&container, "/proc/1/limits").await?.assert(&limits)?;
    let error = files::under(&container, "/run").await.unwrap_err().to_string();
    assert!(error.contains("`files::at` looks at one file there"), "{error}");
    Ok(())
}

/// A server writes its files when it is ready to.
#[tokio::test]
async fn a_file_that_comes_late_is_waited_for() -> TestResult {
    let engine = require_docker!();
    let script = "read go; echo 1 >/late; exec /busybox sleep 600";
    let mut definition = shell(&engine, "late", script).await?;
    definition.cmd =
        vec!["sh".into(), "-c".into(), "/busybox mkfifo /go; (".to_owned() + script + ") </go"];
    let container = definition.start().await?;
    let short = std::time::Duration::from_millis(50);
    let late = regular().content("1\n");
    let error = eventually(short, &late, || files::read(&container, "/late")).await.unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("wait for file `/late` of `late`: still not as expected"), "{error}");
    assert!(error.contains("found\n  kind: expected a regular file, found nothing"), "{error}");
    container.exec(["/busybox", "sh", "-c", "echo go >/go"]).await?.success()?;
    eventually(NEVER, &late, || files::read(&container, "/late")).await?;
    Ok(())
}

/// Of a directory with large programs, not all is fetched to find a name.
#[tokio::test]
async fn a_slip_of_the_finger_is_found_in_a_large_directory() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?.start().await?;
    let found = files::at(&bakery, "/usr/bin/pythn3.11").await?;
    assert_eq!(found.nearest.as_deref(), Some("`/usr/bin/python3.11`"));
    Ok(())
}

//! Files of containers, with and without a shell in them.

use plimsoll_harness::assert::files::{
    self, directory, no_setuid, no_world_writable, regular, socket, symlink,
};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{ObserveError, Observed};
use plimsoll_harness::{LogWait, require_docker};

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
    // No archive can hold a socket.
    files::stat(&bakery, "/tmp/web.sock").await?.assert(&socket())?;
    let message = files::at(&bakery, "/tmp/web.sock").await.unwrap_err().to_string();
    assert!(message.contains("`files::stat` can look at those"), "{message}");
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
    let absent = files::at(&container, "/etc/nothing").await.unwrap_err();
    assert!(matches!(absent, ObserveError::Absent { .. }), "{absent}");
    assert_eq!(absent.to_string(), "look at file `/etc/nothing` of `bare`: there is none");
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
        message.contains("size: expected at most 1048576 bytes, found 3221225472"),
        "{message}"
    );
    let message = files::read(&container, "/large").await.unwrap_err().to_string();
    assert!(message.contains("3221225472 bytes are more than 67108864"), "{message}");
    Ok(())
}

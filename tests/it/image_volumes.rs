//! What an image finds in the places that are mounted, and what it makes of them.

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::files::{self, directory, regular};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{Mount, require_docker};

use crate::TestResult;
use crate::assert_services::nginx;

/// Memory is empty at first: what is there now was created by the running programs.
#[tokio::test]
async fn everything_in_run_is_created_at_runtime() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.mount(Mount::tmpfs("/run")).start().await?;
    let pid = regular().mode(0o644).owner("root").group("root").content(matching(r"^1\n$"));
    files::read(&nginx, "/run/nginx.pid").await?.assert(&pid)?;
    assert!(!files::exists(&nginx, "/run/lock").await?, "the image has it, memory does not");
    Ok(())
}

#[tokio::test]
async fn an_entrypoint_takes_over_a_mount_that_belongs_to_root() -> TestResult {
    let engine = require_docker!();
    let start = "chown www-data:www-data /var/cache/bakery\nexec nginx -g 'daemon off;'\n";
    let nginx = nginx(&engine).await?.mount(Mount::tmpfs("/var/cache/bakery").option("mode=750"));
    let untouched = nginx.clone().start().await?;
    let of_root = directory().mode(0o750).owner("root").group("root");
    files::at(&untouched, "/var/cache/bakery").await?.assert(&of_root)?;
    let taken = nginx.file("/start", start, 0o755).entrypoint(["sh", "/start"]).start().await?;
    let of_nginx = directory().mode(0o750).owner("www-data").group("www-data");
    files::at(&taken, "/var/cache/bakery").await?.assert(&of_nginx)?;
    Ok(())
}

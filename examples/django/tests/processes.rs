//! Who runs in the containers, and what they have between them.

use plimsoll_harness::assert::files::{self, directory, socket};
use plimsoll_harness::assert::processes::{self, proc};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{Observed, eventually};

use crate::stack::BakeryLive;
use crate::{NEVER, TestResult};

#[plimsoll_harness::test(scope = "process")]
async fn gunicorn_runs_under_tini_as_a_user_without_rights(app: &BakeryLive) -> TestResult {
    let gunicorn = proc("/usr/bin/python3 /usr/bin/gunicorn bakery.wsgi").user("baker");
    let master = gunicorn.clone().children(2, gunicorn);
    let init = proc("tini -- entrypoint gunicorn bakery.wsgi").user("baker").child(master);
    processes::of(&app.web).await?.assert(&init)?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn the_workers_of_nginx_are_not_root(app: &BakeryLive) -> TestResult {
    let worker = proc("nginx: worker process").user("www-data");
    let master = proc(matching("^nginx: master process nginx")).user("root").children(2, worker);
    // One worker may answer before there is another.
    eventually(NEVER, &master, || processes::of(&app.nginx)).await?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn the_socket_is_for_nginx_and_nobody_else(app: &BakeryLive) -> TestResult {
    let private = directory().mode(0o750).owner("baker").group("www-data");
    files::at(&app.web, "/run/bakery").await?.assert(&private)?;
    let shared = socket().mode(0o660);
    let owned = shared.clone().owner("baker").group("www-data");
    files::at(&app.web, "/run/bakery/web.sock").await?.assert(&owned)?;
    files::stat(&app.nginx, "/run/bakery/web.sock").await?.assert(&shared)?;
    Ok(())
}

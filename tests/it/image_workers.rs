//! The workers of an image: what they have open, what they write, how they are replaced.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use plimsoll_harness::assert::files::{self, regular, socket};
use plimsoll_harness::assert::open_files::{self, opens};
use plimsoll_harness::assert::processes::{self, Process, proc};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{Observed, eventually};
use plimsoll_harness::{Container, LogWait, Mount, require_docker};

use crate::assert_services::{NEVER, bakery};
use crate::{Error, TestResult};

/// Counts requests, each worker in a file of its own since they share no memory; and holds one
/// until it is told to let go.
const METRICS: &str = r##"
import glob, os
os.makedirs("/tmp/metrics", exist_ok=True)

def read(path):
    with open(path) as file:
        return file.read()

def application(environ, start_response):
    own = f"/tmp/metrics/requests_{os.getpid()}"
    if environ["PATH_INFO"] == "/metrics":
        total = sum(int(read(path)) for path in glob.glob("/tmp/metrics/requests_*"))
        body = f"# TYPE requests_total counter\nrequests_total {total}\n"
    else:
        count = int(read(own)) if os.path.exists(own) else 0
        with open(own, "w") as file:
            file.write(str(count + 1))
        body = str(os.getpid())
    if environ["PATH_INFO"] == "/hold":
        os.mkfifo("/tmp/go")
        print("holding", flush=True)
        read("/tmp/go")
    start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4")])
    return [body.encode()]
"##;

#[tokio::test]
async fn a_socket_and_a_pid_file_have_their_owners_and_modes() -> TestResult {
    let engine = require_docker!();
    let address = "unix:/run/bakery/web.sock";
    let bakery = bakery(&engine)
        .await?
        .cmd([
            "gunicorn",
            "-b",
            address,
            "-p",
            "/run/bakery/web.pid",
            "--umask",
            "0117",
            "bakery.wsgi",
        ])
        .mount(Mount::tmpfs("/run/bakery").option("mode=1777"))
        .start()
        .await?;
    let of_baker = socket().mode(0o660).owner("baker").group("baker");
    files::at(&bakery, "/run/bakery/web.sock").await?.assert(&of_baker)?;
    let pid = regular().mode(0o644).owner("baker").content(matching(r"^\d+\n$"));
    files::read(&bakery, "/run/bakery/web.pid").await?.assert(&pid)?;
    Ok(())
}

/// The workers, once there are two.
async fn workers(container: &Container) -> Result<Vec<Process>, Error> {
    let gunicorn = proc(matching("gunicorn"));
    let tree = proc(matching("^tini")).child(gunicorn.clone().children(2, gunicorn));
    let mut found = eventually(NEVER, &tree, || processes::of(container)).await?;
    Ok(found.root.children.remove(0).children)
}

#[tokio::test]
async fn a_worker_has_open_what_it_needs_and_nothing_else() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?.start().await?;
    let worker = workers(&bakery).await?.remove(0);
    let tree = processes::of(&bakery).await?;
    let expected = opens("/dev/null")
        .and(matching("^socket:"))
        .and(matching(r"^/tmp/wgunicorn-\w+ \(deleted\)$"))
        .and_not(matching(r"\.(sqlite3|pid)$"))
        .at_most(20);
    // It says that it boots before it has all of it.
    eventually(NEVER, &expected, || open_files::of(&bakery, &tree, &worker)).await?;
    Ok(())
}

async fn total(container: &Container) -> Result<String, Error> {
    let answer = container.http().get("/metrics").await?.assert_status(200)?;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    Ok(answer.text().into_owned())
}

/// One worker is held, so that another has to answer; then all are replaced.
#[tokio::test]
async fn counters_of_several_workers_are_one_and_survive_a_hangup() -> TestResult {
    let engine = require_docker!();
    let mut definition = bakery(&engine)
        .await?
        .file("/srv/metrics/metrics.py", METRICS, 0o644)
        .env("PYTHONPATH", "/srv/metrics")
        .env("SKIP_MIGRATIONS", "1")
        .cmd(["gunicorn", "metrics"]);
    definition.ready = Some(LogWait::stderr("Worker ready").times(2).within(NEVER));
    let bakery = definition.start().await?;
    let mut held = TcpStream::connect(bakery.mapped_port(8000).await?)?;
    write!(held, "GET /hold HTTP/1.0\r\n\r\n")?;
    bakery.wait(LogWait::stdout("holding").within(NEVER)).await?;
    let other = bakery.http().get("/").await?.assert_status(200)?.text().into_owned();
    bakery.exec(["sh", "-c", "echo >/tmp/go"]).await?.success()?;
    let mut answer = String::new();
    held.read_to_string(&mut answer)?;
    let first = answer.rsplit("\r\n").next().unwrap_or_default().to_owned();
    assert_ne!(first, other, "two workers have answered");

    // One file for each of them, wherever they are.
    let metrics = files::under(&bakery, "/tmp/metrics").await?;
    let counted: BTreeSet<_> =
        metrics.files.iter().filter_map(|file| file.path.split_once("requests_")).collect();
    let pids: BTreeSet<_> = counted.into_iter().map(|(_, pid)| pid.to_owned()).collect();
    assert_eq!(pids, BTreeSet::from([first, other]), "{metrics}");
    assert_eq!(total(&bakery).await?, "# TYPE requests_total counter\nrequests_total 2\n");

    let before: BTreeSet<_> = workers(&bakery).await?.iter().map(|worker| worker.pid).collect();
    let mark = bakery.mark();
    bakery.kill("SIGHUP").await?;
    let restart = ["Hang up: Master", "Booting worker", "Booting worker"];
    bakery.logs().after(mark).ordered(restart).within(NEVER).await?;
    bakery.logs().after(mark).unordered(["Worker exiting"; 2]).within(NEVER).await?;
    let after: BTreeSet<_> = workers(&bakery).await?.iter().map(|worker| worker.pid).collect();
    assert!(before.is_disjoint(&after), "{before:?} and {after:?}");
    assert_eq!(total(&bakery).await?, "# TYPE requests_total counter\nrequests_total 2\n");
    Ok(())
}

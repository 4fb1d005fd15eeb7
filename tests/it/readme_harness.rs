//! The stack of the README, on images that stand in for those it names; and how it fails.

use std::time::Duration;

use plimsoll_harness::{
    Build, ContainerDefinition, Define, DefineError, Engine, Failure, ImageDefinition, Links,
    LogWait, Stack, require_docker,
};
use plimsoll_tests::image::SCRATCH;

use crate::readme::{DOCUMENT, blessed, root};
use crate::{Error, TestResult};

#[derive(Clone, Debug)]
struct Db {
    image: ImageDefinition,
    password: String,
}

impl Define for Db {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let ready = LogWait::stderr("ready to accept connections");
        Ok(ContainerDefinition::new(links.name(), self.image.clone())
            .env("POSTGRES_PASSWORD", &self.password)
            .ready(ready.within(Duration::from_secs(60))))
    }
}

#[derive(Clone, Debug)]
struct Web {
    image: ImageDefinition,
}

impl Define for Web {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        // Reading another node is depending on it: web starts when db is ready.
        let (host, password) = (links.host(&App::DB)?, &links.node(&App::DB)?.password);
        Ok(ContainerDefinition::new(links.name(), self.image.clone())
            .env("DATABASE_URL", format!("postgres://postgres:{password}@{host}/"))
            .publish(8000)
            .ready(LogWait::stderr("Listening at").within(Duration::from_secs(60))))
    }
}

#[derive(Stack, Clone, Debug)]
struct App {
    db: Db,
    web: Web,
}

/// An image that runs a script, where the README has one that somebody made.
async fn stand_in(engine: &Engine, name: &str, script: &str) -> Result<ImageDefinition, Error> {
    let base = SCRATCH.ensure(engine).await?;
    let dockerfile = format!("FROM {base}\nCMD {:?}\n", ["sh", "-c", script]);
    Ok(Build::from_dockerfile(name, &dockerfile).into())
}

async fn app(engine: &Engine, serve: &str) -> Result<App, Error> {
    let db = "echo 'database system is ready to accept connections' >&2; exec /busybox sleep 600";
    Ok(App {
        db: Db { image: stand_in(engine, "readme-db", db).await?, password: "sugar".to_owned() },
        web: Web { image: stand_in(engine, "readme-web", serve).await? },
    })
}

#[test]
fn the_definitions_are_those_of_the_readme() -> TestResult {
    let readme = std::fs::read_to_string(root().join(DOCUMENT))?;
    let (_, rest) = readme.split_once("#[derive(Clone, Debug)]\nstruct Db").ok_or("no Db")?;
    let (definitions, _) = rest.split_once("#[plimsoll_harness::test]").ok_or("no test")?;
    assert!(definitions.contains("#[derive(Stack, Clone, Debug)]"), "{definitions}");
    assert!(include_str!("readme_harness.rs").contains(definitions.trim()), "{definitions}");
    Ok(())
}

#[tokio::test]
async fn the_stack_of_the_readme_serves() -> TestResult {
    let engine = require_docker!();
    let serve = "case $DATABASE_URL in postgres://postgres:sugar@db/) ;; *) exit 1;; esac; \
                 mkdir /www; echo hello >/www/index.html; /busybox httpd -f -vv -p 8000 -h /www & \
                 until /busybox wget -qO /up http://127.0.0.1:8000/; do sleep 0.05; done; \
                 echo Listening at: 8000 >&2; wait";
    let app = app(&engine, serve).await?.start().await?;
    let mark = app.web.mark();
    app.web.http().get("/index.html").await?.assert_status(200)?;
    app.web.logs().after(mark).line("url:/index.html").within(Duration::from_secs(60)).await?;
    // They still find each other when all are ready.
    app.web.exec(["/busybox", "nslookup", "db"]).await?.success()?;
    Ok(())
}

#[tokio::test]
async fn the_failure_in_the_readme_is_a_real_one() -> TestResult {
    let engine = require_docker!();
    let serve = "echo connecting to the database; \
                 echo 'no SECRET_KEY in the environment' >&2; exit 1";
    let error = app(&engine, serve).await?.start().await.err().ok_or("it has started")?;
    // As a test with the attribute, or one that returns it, prints it.
    let shown = format!("{:?}\n", Failure::from(error));
    // How long that took is another number each time.
    let (before, after) = shown.split_once("code 1 after ").ok_or_else(|| shown.clone())?;
    let (_, after) = after.split_once(" s\n").ok_or_else(|| shown.clone())?;
    blessed("failed to start the stack", &format!("{before}code 1 after 0.4 s\n{after}"))
}

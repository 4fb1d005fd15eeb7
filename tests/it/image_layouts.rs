//! One application in two layouts: all in one container, and divided among several.

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::files::{self, regular, socket};
use plimsoll_harness::{
    Condition, Container, ContainerDefinition, Define, DefineError, HttpWait, Links, LogWait,
    Stack, VolumeDefinition, require_docker,
};
use plimsoll_tests::image::{DJANGO, NGINX, POSTGRESQL};

use crate::assert_services::{NEVER, bakery, server};
use crate::{Error, TestResult};

#[derive(Clone, Debug)]
struct Db {
    image: String,
    password: String,
}

impl Define for Db {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let ready = LogWait::stderr("database system is ready to accept connections");
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .env("POSTGRES_USER", "bakery")
            .env("POSTGRES_PASSWORD", &self.password)
            .ready(ready.within(NEVER)))
    }
}

/// Gunicorn on a socket in one volume; its static files in another.
#[derive(Clone, Debug)]
struct Web {
    image: String,
}

impl Define for Web {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let (host, password) = (links.host(&Divided::DB)?, &links.node(&Divided::DB)?.password);
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["gunicorn", "-b", "unix:/tmp/web.sock", "bakery.wsgi"])
            .env("DATABASE_URL", format!("postgresql://bakery:{password}@{host}/bakery"))
            .mount(links.volume(&Divided::SOCKETS)?.at("/tmp"))
            .mount(links.volume(&Divided::STATIC_FILES)?.at("/srv/static"))
            .file("/srv/static/cake.css", "body { margin: 0 }", 0o644)
            .ready(LogWait::stderr("Booting worker").within(NEVER)))
    }
}

#[derive(Clone, Debug)]
struct Front {
    image: String,
}

impl Define for Front {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        links.host(&Divided::WEB)?;
        let lines = "location / { proxy_pass http://unix:/sockets/web.sock; }\n\
                     location /static/ { alias /srv/static/; }\n";
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .file("/etc/nginx/conf.d/default.conf", server(lines), 0o644)
            .mount(links.volume(&Divided::SOCKETS)?.read_only().at("/sockets"))
            .mount(links.volume(&Divided::STATIC_FILES)?.read_only().at("/srv/static"))
            .publish(80)
            .ready(HttpWait::get("/health/").port(80).within(NEVER)))
    }
}

#[derive(Stack, Clone, Debug)]
struct Divided {
    sockets: VolumeDefinition,
    static_files: VolumeDefinition,
    db: Db,
    web: Web,
    front: Front,
}

/// What every layout of it does.
async fn is_a_bakery(front: &Container) -> Result<(), Error> {
    let http = front.http();
    http.get("/health/").await?.assert_status(200)?;
    assert_eq!(
        http.get("/cakes/").await?.json::<serde_json::Value>()?["cakes"],
        serde_json::json!([])
    );
    let order = http.post("/cakes/").header("content-type", "application/x-www-form-urlencoded");
    order.body("name=Linzer+Torte").await?.assert_status(200)?;
    let cakes = http.get("/cakes/").await?.assert_status(200)?.json::<serde_json::Value>()?;
    assert_eq!(cakes["cakes"], serde_json::json!(["Linzer Torte"]));
    http.get("/bread/").await?.assert_status(404)?;
    Ok(())
}

/// Lines and an answer, and one deadline for both.
#[tokio::test]
async fn all_in_one_is_a_bakery_when_it_says_and_answers_so() -> TestResult {
    let engine = require_docker!();
    let mut definition = bakery(&engine).await?;
    let lines = LogWait::unordered(["Listening at: http", "Booting worker"]);
    let ready = [lines.into(), HttpWait::get("/health/").port(8000).into()];
    definition.ready = Some(Condition::all(ready).within(NEVER));
    is_a_bakery(&definition.start().await?).await
}

#[tokio::test]
async fn divided_among_containers_that_share_volumes_it_is_one_too() -> TestResult {
    let engine = require_docker!();
    let divided = Divided {
        sockets: VolumeDefinition::default(),
        static_files: VolumeDefinition::default(),
        db: Db { image: POSTGRESQL.ensure(&engine).await?, password: "sugar".to_owned() },
        web: Web { image: DJANGO.ensure(&engine).await? },
        front: Front { image: NGINX.ensure(&engine).await? },
    };
    let order = "1. db, 1. sockets, 1. static-files, 2. web, 3. front";
    let plan = divided.plan()?.nodes;
    let waves = plan.iter().map(|node| format!("{}. {}", node.wave + 1, node.name));
    assert_eq!(waves.collect::<Vec<_>>().join(", "), order);
    let live = divided.start().await?;
    is_a_bakery(&live.front).await?;
    let css = live.front.http().get("/static/cake.css").await?.assert_status(200)?;
    assert_eq!(
        (css.header("content-type"), &*css.text()),
        (Some("text/css"), "body { margin: 0 }")
    );
    files::at(&live.front, "/srv/static/cake.css").await?.assert(&regular().mode(0o644))?;
    files::stat(&live.front, "/sockets/web.sock").await?.assert(&socket())?;
    let written = live.front.exec(["touch", "/srv/static/own.css"]).await?;
    assert!(written.stderr_text().contains("Read-only file system"), "{written:?}");
    Ok(())
}

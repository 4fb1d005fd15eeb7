//! The images that assertions are tried on start and do what they are for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use plimsoll_harness::{ContainerDefinition, Engine, LogWait, require_docker};
use plimsoll_tests::image::{DJANGO, NGINX, POSTGRESQL, RABBITMQ, REDIS, SCRATCH};

use crate::{Error, TestResult};

/// Longer than any of these tests takes; a wait that ends by it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(120);

/// A shell script on the image without anything.
pub(crate) async fn shell(
    engine: &Engine,
    name: &str,
    script: &str,
) -> Result<ContainerDefinition, Error> {
    let image = SCRATCH.ensure(engine).await?;
    Ok(ContainerDefinition::new(name, image).cmd(["sh", "-c", script]))
}

/// nginx with two workers.
pub(crate) async fn nginx(engine: &Engine) -> Result<ContainerDefinition, Error> {
    let image = NGINX.ensure(engine).await?;
    let ready = LogWait::stderr("start worker process").within(NEVER);
    Ok(ContainerDefinition::new("nginx", image).publish(80).ready(ready))
}

/// The file of nginx's one server, with these lines in it.
pub(crate) fn server(lines: &str) -> String {
    format!("server {{\n    listen 80;\n    root /usr/share/nginx/html;\n{lines}}}\n")
}

/// Django under gunicorn under tini, listening.
pub(crate) async fn bakery(engine: &Engine) -> Result<ContainerDefinition, Error> {
    let image = DJANGO.ensure(engine).await?;
    let ready = LogWait::stderr("Booting worker").within(NEVER);
    Ok(ContainerDefinition::new("bakery", image).publish(8000).ready(ready))
}

/// PostgreSQL with a database `bakery`, whose password is `sugar`.
pub(crate) async fn postgresql(engine: &Engine) -> Result<ContainerDefinition, Error> {
    let image = POSTGRESQL.ensure(engine).await?;
    let ready = LogWait::stderr("database system is ready to accept connections").within(NEVER);
    Ok(ContainerDefinition::new("postgresql", image)
        .env("POSTGRES_USER", "bakery")
        .env("POSTGRES_PASSWORD", "sugar")
        .ready(ready))
}

/// What a server answers to a GET, headers and all.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nUser-Agent: test\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test]
async fn postgresql_takes_the_variables_of_the_official_image() -> TestResult {
    let engine = require_docker!();
    let database = postgresql(&engine)
        .await?
        .env("POSTGRES_USER", "maria-k")
        .env("POSTGRES_DB", "cakes")
        .start()
        .await?;
    let query = "SELECT current_user, current_database()";
    let asked = database.exec(["psql", "-U", "maria-k", "-qtA", "-c", query, "cakes"]).await?;
    assert_eq!(asked.stdout_text(), "maria-k|cakes\n", "{}", asked.stderr_text());
    Ok(())
}

#[tokio::test]
async fn redis_answers() -> TestResult {
    let engine = require_docker!();
    let image = REDIS.ensure(&engine).await?;
    let redis = ContainerDefinition::new("redis", image)
        .ready(LogWait::stdout("Ready to accept connections").within(NEVER))
        .start()
        .await?;
    assert_eq!(redis.exec(["redis-cli", "ping"]).await?.stdout_text(), "PONG\n");
    Ok(())
}

#[tokio::test]
async fn rabbitmq_takes_the_variables_of_the_official_image() -> TestResult {
    let engine = require_docker!();
    let image = RABBITMQ.ensure(&engine).await?;
    let rabbitmq = ContainerDefinition::new("rabbitmq", image)
        .env("RABBITMQ_DEFAULT_USER", "maria")
        .env("RABBITMQ_DEFAULT_PASS", "password")
        .env("RABBITMQ_DEFAULT_VHOST", "/bakery")
        .ready(LogWait::stdout("Server startup complete").within(NEVER))
        .start()
        .await?;
    let ctl = "/usr/lib/rabbitmq/bin/rabbitmqctl";
    let asked = rabbitmq.exec([ctl, "-q", "list_permissions", "--vhost", "/bakery"]).await?;
    assert!(asked.stdout_text().contains("maria"), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn nginx_serves() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.start().await?;
    let answer = get(nginx.mapped_port(80).await?, "/")?;
    assert!(answer.contains("It works"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn django_answers() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?.start().await?;
    let answer = get(bakery.mapped_port(8000).await?, "/health/")?;
    assert!(answer.ends_with("{\"status\": \"ok\"}"), "{answer}");
    Ok(())
}

//! The images that assertions are tried on start and do what they are for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use plimsoll_harness::{ContainerDefinition, Engine, LogWait, require_docker};
use plimsoll_tests::image::{DJANGO, NGINX, POSTGRESQL, SCRATCH};

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

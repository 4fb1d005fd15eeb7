//! nginx as a service, on Debian's, which is laid out as the official image is.

use plimsoll_harness::service::Nginx;
use plimsoll_harness::{Condition, Define, Engine, require_docker};
use plimsoll_tests::image::NGINX;

use crate::service::ready_each_time;
use crate::{Error, TestResult};

const SITE: &str = "/etc/nginx/conf.d/default.conf";

async fn nginx(engine: &Engine) -> Result<Nginx, Error> {
    Ok(Nginx::new(NGINX.ensure(engine).await?))
}

/// A site that answers everything with its number.
fn site(number: u32) -> String {
    format!("server {{ listen 80; location / {{ return 200 'site {number}'; }} }}\n")
}

#[tokio::test]
async fn service_nginx_answers_the_first_request_fifty_times() -> TestResult {
    let engine = require_docker!();
    let web = nginx(&engine).await?.file("/usr/share/nginx/html/index.html", "hello");
    ready_each_time(50, &web, async |web| {
        let answer = web.http().get("/").await?.assert_status(200)?;
        assert_eq!(answer.text(), "hello");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn service_nginx_is_ready_whatever_it_answers() -> TestResult {
    let engine = require_docker!();
    let nobody = "server { listen 80; location / { proxy_pass http://127.0.0.1:1; } }";
    let lonely = nginx(&engine).await?.file(SITE, nobody).start().await?;
    lonely.http().get("/").await?.assert_status(502)?;
    let mut elsewhere = nginx(&engine).await?.file(SITE, "server { listen 8080; root /none; }");
    elsewhere.port = 8080;
    let elsewhere = elsewhere.start().await?;
    elsewhere.http().get("/").await?.assert_status(404)?;
    assert_eq!(elsewhere.url().await?, format!("http://{}/", elsewhere.mapped_port(8080).await?));
    Ok(())
}

#[tokio::test]
async fn service_nginx_serves_by_the_new_configuration_once_it_is_reloaded() -> TestResult {
    let engine = require_docker!();
    let web = nginx(&engine).await?.file(SITE, site(0)).start().await?;
    for number in 1..=20 {
        web.write_file(SITE, site(number), 0o644).await?;
        web.reload().await?;
        let answer = web.http().get("/").await?.assert_status(200)?;
        assert_eq!(answer.text(), format!("site {number}"));
    }
    let dump = web.nginx(["-T"]).await?;
    assert!(dump.stdout_text().contains("site 20"), "{}", dump.stdout_text());
    Ok(())
}

#[tokio::test]
async fn service_nginx_says_in_its_own_words_what_is_wrong() -> TestResult {
    let engine = require_docker!();
    let web = nginx(&engine).await?.file(SITE, site(0)).start().await?;
    web.write_file(SITE, "server { listen 80; lisp; }", 0o644).await?;
    let error = web.reload().await.unwrap_err();
    assert_eq!(error.to_string(), "run a command in `nginx`");
    let said = std::error::Error::source(&error).ok_or("no cause")?.to_string();
    assert!(said.contains("unknown directive \"lisp\""), "{said}");
    // A port that is taken shows only when it is put to use.
    let other = "daemon off; master_process off; pid /run/other.pid; events {} \
                 http { server { listen 81; } }";
    web.write_file("/tmp/other.conf", other, 0o644).await?;
    tokio::spawn(web.exec(["nginx", "-c", "/tmp/other.conf"]).into_future());
    web.wait(Condition::Port(81)).await?;
    web.write_file(SITE, site(1).replace("80", "81"), 0o644).await?;
    let error = web.reload().await.unwrap_err().to_string();
    assert!(error.contains("nginx goes on as before"), "{error}");
    assert!(error.contains("bind() to 0.0.0.0:81 failed"), "{error}");
    let answer = web.http_on(80).get("/").await?;
    assert_eq!(answer.text(), "site 0");
    // And one that is wrong from the beginning ends the start.
    let error = nginx(&engine).await?.file(SITE, "nonsense").start().await.unwrap_err();
    assert!(error.to_string().contains("unexpected end of file"), "{error}");
    Ok(())
}

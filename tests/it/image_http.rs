//! What an image answers over HTTP.

use plimsoll_harness::assert::files;
use plimsoll_harness::assert::text::{Text, matching};
use plimsoll_harness::{ContainerDefinition, Engine, HttpResponse, require_docker};

use crate::assert_services::{nginx, server};
use crate::{Error, TestResult};

/// nginx with these lines in its `server` block.
async fn configured(engine: &Engine, lines: &str) -> Result<ContainerDefinition, Error> {
    Ok(nginx(engine).await?.file("/etc/nginx/conf.d/default.conf", server(lines), 0o644))
}

fn has(answer: &HttpResponse, header: &str, expected: impl Into<Text>) {
    let (found, expected) = (answer.header(header).unwrap_or_default(), expected.into());
    let fits = expected.fits(found.as_bytes());
    assert!(fits, "{}: {header} is {found:?} and not {expected}", answer.url());
}

#[tokio::test]
async fn types_compression_and_proxies_show_in_the_headers() -> TestResult {
    let engine = require_docker!();
    let lines = "gzip on; gzip_types text/css; gzip_min_length 256;\n\
                 gzip_vary on;\n";
    let large = "body { margin: 0 }\n".repeat(100);
    let nginx = configured(&engine, lines)
        .await?
        .file("/usr/share/nginx/html/large.css", large.as_str(), 0o644)
        .file("/usr/share/nginx/html/small.css", "a {}", 0o644)
        .file("/usr/share/nginx/html/cake.png", large.as_str(), 0o644)
        .start()
        .await?;
    let http = nginx.http();
    let get = |path| http.get(path).header("accept-encoding", "gzip");
    let css = get("/large.css").await?.assert_status(200)?;
    has(&css, "content-type", "text/css");
    has(&css, "content-encoding", "gzip");
    has(&css, "vary", "Accept-Encoding");
    assert!(css.bytes().starts_with(b"\x1f\x8b") && css.bytes().len() < large.len());
    has(&get("/small.css").await?, "content-encoding", "");
    let png = get("/cake.png").await?;
    has(&png, "content-type", "image/png");
    has(&png, "content-encoding", "");
    has(&http.get("/large.css").await?, "content-encoding", "");
    // Who asks for somebody else gets it as it is.
    has(&get("/large.css").header("via", "1.1 proxy").await?, "content-encoding", "");
    Ok(())
}

/// Nobody can know the names beforehand: they are looked for in the container.
#[tokio::test]
async fn files_with_hashed_names_are_found_and_kept_for_long() -> TestResult {
    let engine = require_docker!();
    let lines =
        "location ~ \"\\.[0-9a-f]{12}\\.\" { expires max; add_header Cache-Control public; }\n";
    let start = "cd /usr/share/nginx/html/static\n\
                 for file in *.css; do\n\
                     hash=$(md5sum \"$file\" | cut -c -12)\n\
                     cp \"$file\" \"${file%.css}.$hash.css\"\n\
                 done\n\
                 exec nginx -g 'daemon off;'\n";
    let nginx = configured(&engine, lines)
        .await?
        .file("/usr/share/nginx/html/static/cake.css", "body { margin: 0 }", 0o644)
        .file("/start", start, 0o755)
        .entrypoint(["sh", "/start"])
        .start()
        .await?;
    let hashed = matching(r"^/usr/share/nginx/html(/static/cake\.[0-9a-f]{12}\.css)$");
    let found = files::under(&nginx, "/usr/share/nginx/html/static").await?;
    let found: Vec<_> =
        found.files.iter().filter(|file| hashed.fits(file.path.as_bytes())).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let path = found[0].path.trim_start_matches("/usr/share/nginx/html");
    let answer = nginx.http().get(path).await?.assert_status(200)?;
    assert_eq!(answer.text(), "body { margin: 0 }");
    has(&answer, "content-type", "text/css");
    let policies: Vec<_> = answer.header_all("cache-control").collect();
    assert_eq!(policies, ["max-age=315360000", "public"]);
    has(&nginx.http().get("/static/cake.css").await?, "cache-control", "");
    Ok(())
}

#[tokio::test]
async fn a_password_opens_and_health_needs_none() -> TestResult {
    let engine = require_docker!();
    let lines = "location /admin/ { auth_basic bakery; auth_basic_user_file /etc/nginx/users; }\n\
                 location = /health/ { return 200 ok; }\n";
    let nginx = configured(&engine, lines)
        .await?
        .file("/etc/nginx/users", "maria:{PLAIN}sugar\n", 0o644)
        .file("/usr/share/nginx/html/admin/index.html", "orders", 0o644)
        .start()
        .await?;
    let http = nginx.http();
    let refused = http.get("/admin/").await?.assert_status(401)?;
    has(&refused, "www-authenticate", "Basic realm=\"bakery\"");
    // The user `maria` with the password `sugar`, and with another.
    let basic = |text: &str| http.get("/admin/").header("authorization", format!("Basic {text}"));
    assert_eq!(basic("bWFyaWE6c3VnYXI=").await?.assert_status(200)?.text(), "orders");
    basic("bWFyaWE6c2FsdA==").await?.assert_status(401)?;
    assert_eq!(http.get("/health/").await?.assert_status(200)?.text(), "ok");
    http.get("/").await?.assert_status(200)?;
    let state = nginx.inspect().await?.state.unwrap_or_default();
    assert_eq!(state.running, Some(true));
    Ok(())
}

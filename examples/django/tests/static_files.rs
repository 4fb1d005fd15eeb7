//! What the browser asks for beside the pages: from nginx, out of the volume.

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::files::{self, regular};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{HttpResponse, LogPattern};

use crate::stack::BakeryLive;
use crate::{Error, NEVER, TestResult, browser};

/// Where nginx has them.
const ROOT: &str = "/srv/static";

/// A name that changes with the content.
const HASHED: &str = r"\.[0-9a-f]{12}\.[a-z]+$";

/// The paths of the hashed files with this ending, as the volume has them.
async fn hashed(app: &BakeryLive, ending: &str) -> Result<Vec<String>, Error> {
    let name = matching(HASHED);
    let found = files::under(&app.nginx, ROOT).await?.files.into_iter().map(|file| file.path);
    Ok(found.filter(|path| name.fits(path.as_bytes()) && path.ends_with(ending)).collect())
}

/// What a browser gets for a file of the volume.
async fn get(app: &BakeryLive, file: &str, encoding: &str) -> Result<HttpResponse, Error> {
    let path = file.replace(ROOT, "/static");
    let request = browser(app).get(&path).header("accept-encoding", encoding);
    Ok(request.await?.assert_status(200)?)
}

#[plimsoll_harness::test(scope = "process")]
async fn the_log_in_page_names_files_that_are_there(app: &BakeryLive) -> TestResult {
    let page = browser(app).get("/admin/login/").await?.assert_status(200)?;
    let page = page.text();
    let paths = page.split('"').filter(|part| part.starts_with("/static/"));
    let paths: Vec<_> = paths.collect();
    assert!(paths.iter().any(|path| path.starts_with("/static/admin/css/base.")), "{paths:?}");
    for path in paths {
        assert!(matching(HASHED).fits(path.as_bytes()), "{path}");
        browser(app).get(path).await?.assert_status(200)?;
    }
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn every_kind_of_file_has_its_type_and_is_kept_for_a_year(app: &BakeryLive) -> TestResult {
    let kinds = [
        (".css", "^text/css$"),
        // The registered type was another until 2022.
        (".js", "^(application|text)/javascript$"),
        (".svg", r"^image/svg\+xml$"),
        (".woff", "^font/woff$"),
    ];
    for (ending, content_type) in kinds {
        let file = hashed(app, ending).await?.swap_remove(0);
        let answer = get(app, &file, "identity").await?;
        let found = answer.header("content-type").unwrap_or_default();
        assert!(matching(content_type).fits(found.as_bytes()), "{file}: {found}");
        let caching = answer.header("cache-control");
        assert_eq!(caching, Some("public, max-age=31536000, immutable"), "{file}");
        let content = files::read(&app.web, &file).await?.content;
        assert_eq!(Some(answer.bytes()), content.as_deref(), "{file}");
    }
    // Without its hash a file may change.
    let answer = browser(app).get("/static/admin/css/base.css").await?.assert_status(200)?;
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    browser(app).get("/static/admin/css/none.0123456789ab.css").await?.assert_status(404)?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn what_gets_smaller_is_compressed(app: &BakeryLive) -> TestResult {
    let large = files::under(&app.nginx, &format!("{ROOT}/admin/css")).await?.files;
    let large = large.into_iter().filter(|file| matching(HASHED).fits(file.path.as_bytes()));
    let large = large.max_by_key(|file| file.size).ok_or("no style sheets")?;
    let plain = get(app, &large.path, "identity").await?;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = get(app, &large.path, "gzip").await?;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    assert!(packed.bytes().starts_with(&[0x1f, 0x8b]), "the magic number of gzip");
    assert!(packed.bytes().len() < plain.bytes().len() / 2, "{}", packed.bytes().len());
    // A font is compressed already.
    let font = hashed(app, ".woff").await?.swap_remove(0);
    assert_eq!(get(app, &font, "gzip").await?.header("content-encoding"), None);
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn django_is_not_asked_for_them(app: &BakeryLive) -> TestResult {
    let file = hashed(app, ".css").await?.swap_remove(0);
    get(app, &file, "identity").await?;
    // Whatever web wrote because of that is there once it has logged the next request.
    browser(app).get("/health/?after=a-file").await?.assert_status(200)?;
    app.web.logs().line(LogPattern::stdout("after=a-file")).within(NEVER).await?;
    let written = app.web.logs().stdout();
    assert!(!written.contains("/static/"), "{written}");
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn nginx_cannot_change_them(app: &BakeryLive) -> TestResult {
    let file = hashed(app, ".css").await?.swap_remove(0);
    let readable = regular().mode(0o644).owner(matching("^[0-9]+$|^baker$"));
    files::at(&app.nginx, &file).await?.assert(&readable)?;
    let touched = app.nginx.exec(["touch", &file]).user("root").await?;
    assert_ne!(touched.code, 0);
    assert!(touched.stderr_text().contains("Read-only file system"), "{touched:?}");
    Ok(())
}

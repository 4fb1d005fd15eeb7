//! The admin pages, as a browser sees them.

use plimsoll_harness::{ContainerHttp, HttpResponse};

use crate::stack::{BakeryLive, HOST};
use crate::{Error, TestResult, browser};

/// Creates somebody who may do everything.
async fn hire(app: &BakeryLive, name: &str, password: &str) -> TestResult {
    let email = format!("{name}@{HOST}");
    let create = ["django-admin", "createsuperuser", "--no-input", "--username", name];
    let create = app.web.exec(create.into_iter().chain(["--email", &email]));
    create.env("DJANGO_SUPERUSER_PASSWORD", password).await?.success()?;
    Ok(())
}

/// Fills in the form of the log-in page, its hidden field against forgery included.
async fn log_in(
    browser: &ContainerHttp,
    name: &str,
    password: &str,
) -> Result<HttpResponse, Error> {
    let page = browser.get("/admin/login/").await?.assert_status(200)?;
    let page = page.text();
    let (_, field) = page.split_once("name=\"csrfmiddlewaretoken\" value=\"").ok_or("no field")?;
    let (token, _) = field.split_once('"').ok_or("a field without an end")?;
    let form = format!("csrfmiddlewaretoken={token}&username={name}&password={password}");
    submit(browser, form).await
}

async fn submit(browser: &ContainerHttp, form: String) -> Result<HttpResponse, Error> {
    let request = browser.post("/admin/login/?next=/admin/");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Ok(request.body(form).await?)
}

#[plimsoll_harness::test(scope = "process")]
async fn the_log_in_page_is_served(app: &BakeryLive) -> TestResult {
    let page = browser(app).get("/admin/login/").await?.assert_status(200)?;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("<a href=\"/admin/\">Bakery</a>"), "{}", page.text());
    // Whoever is not logged in is sent there.
    let elsewhere = browser(app).get("/admin/").await?.assert_status(302)?;
    assert_eq!(elsewhere.header("location"), Some("/admin/login/?next=/admin/"));
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn a_user_logs_in(app: &BakeryLive) -> TestResult {
    hire(app, "maria", "sugar-and-spice").await?;
    let browser = browser(app);
    let answer = log_in(&browser, "maria", "sugar-and-spice").await?.assert_status(302)?;
    assert_eq!(answer.header("location"), Some("/admin/"));
    let session = answer.header_all("set-cookie").find(|cookie| cookie.starts_with("sessionid="));
    let session = session.ok_or("no session")?;
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax"), "{session}");
    // The browser keeps the cookie.
    let page = browser.get("/admin/").await?.assert_status(200)?;
    assert!(page.text().contains("<strong>maria</strong>"), "{}", page.text());
    assert!(page.text().contains("/admin/bakery/cake/"), "{}", page.text());
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn a_wrong_password_is_refused(app: &BakeryLive) -> TestResult {
    hire(app, "paul", "butter-and-milk").await?;
    let browser = browser(app);
    let page = log_in(&browser, "paul", "butter-and-eggs").await?.assert_status(200)?;
    assert!(page.text().contains("Please enter the correct username and password"), "{page:?}");
    assert!(!page.header_all("set-cookie").any(|cookie| cookie.starts_with("sessionid=")));
    browser.get("/admin/").await?.assert_status(302)?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn a_form_from_elsewhere_is_refused(app: &BakeryLive) -> TestResult {
    let form = "username=maria&password=sugar-and-spice".to_owned();
    let page = submit(&browser(app), form).await?.assert_status(403)?;
    assert!(page.text().contains("CSRF verification failed"), "{}", page.text());
    Ok(())
}

//! One image in many environments.

use plimsoll_harness::assert::eventually;
use plimsoll_harness::assert::matrix::Matrix;
use plimsoll_harness::assert::processes::{self, proc};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{Exit, LogPattern, LogWait, StartError, WaitError};

use crate::stack::{BakeryLive, HOST};
use crate::{Error, NEVER, TestResult, neighbour};

#[plimsoll_harness::test(scope = "process")]
async fn workers_are_as_many_as_it_says(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "workers").await?.env("SKIP_MIGRATIONS", "1");
    // The definition waits for two.
    let web = web.ready(LogWait::stderr("Listening at").within(NEVER));
    let matrix = Matrix::new(web)
        .case("1", [("WEB_CONCURRENCY", "1")])
        .case("3", [("WEB_CONCURRENCY", "3")]);
    let results = matrix.run(|count, started| async move {
        let (web, count) = (started?, count.parse()?);
        let gunicorn = proc(matching("gunicorn bakery.wsgi$"));
        let master = gunicorn.clone().children(count, gunicorn);
        let init = proc(matching("^tini ")).child(master);
        eventually(NEVER, &init, || processes::of(&web)).await?;
        Ok::<_, Error>(())
    });
    results.await.all()?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn errors_are_shown_only_where_they_may(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "debugged").await?.env("SKIP_MIGRATIONS", "1");
    let matrix =
        Matrix::new(web).case("production", [("DEBUG", "")]).case("development", [("DEBUG", "1")]);
    let results = matrix.run(|case, started| async move {
        let page = started?.http().named(HOST).get("/nothing/").await?.assert_status(404)?;
        let shown = page.text().contains("bakery.urls");
        assert_eq!(shown, case == "development", "{case}: {}", page.text());
        Ok::<_, Error>(())
    });
    results.await.all()?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn a_name_that_is_not_allowed_is_logged(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "renamed").await?.env("SKIP_MIGRATIONS", "1");
    let web = web.env("ALLOWED_HOSTS", "cakes.example,biscuits.example").start().await?;
    web.http().named("biscuits.example").get("/health/").await?.assert_status(200)?;
    web.http().named(HOST).get("/health/").await?.assert_status(400)?;
    let reason =
        "Invalid HTTP_HOST header: 'bakery.test:[0-9]+'. You may need to add 'bakery.test'";
    web.logs().line(LogPattern::stderr(reason)).within(NEVER).await?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn what_is_missing_is_named(app: &BakeryLive) -> TestResult {
    let web = app.web.definition().container("web", "postgres://user@127.0.0.1/database");
    let matrix = Matrix::new(web)
        .case("no key", [("SECRET_KEY", "")])
        .case("no hosts", [("ALLOWED_HOSTS", "")])
        .case("no database", [("DATABASE_URL", "")])
        .case("another database", [("DATABASE_URL", "mysql://user:sugar@db/database")]);
    let results = matrix.run(|_, started| async move {
        match started {
            Err(StartError::NotReady(WaitError::Exited {
                exit: Exit { code: 1, .. },
                tail,
                ..
            })) => Ok(tail.stderr.last().cloned().unwrap_or_default()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Error::from("start")),
        }
    });
    let last_lines = results.await.all()?.join("\n");
    insta::assert_snapshot!(last_lines, @r"
    django.core.exceptions.ImproperlyConfigured: set SECRET_KEY: there is no default for it
    django.core.exceptions.ImproperlyConfigured: set ALLOWED_HOSTS: there is no default for it
    django.core.exceptions.ImproperlyConfigured: set DATABASE_URL: there is no default for it
    django.core.exceptions.ImproperlyConfigured: set DATABASE_URL to postgres://USER:PASSWORD@HOST/DATABASE
    ");
    Ok(())
}

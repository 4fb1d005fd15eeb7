//! What the first start does to the database.

use plimsoll_harness::LogPattern;

use crate::stack::BakeryLive;
use crate::{TestResult, neighbour};

#[plimsoll_harness::test(scope = "process")]
async fn migrations_have_run(app: &BakeryLive) -> TestResult {
    let tables = app.db.tables().await?;
    for table in ["auth_user", "bakery_cake", "django_migrations", "django_session"] {
        assert!(tables.iter().any(|found| found == table), "{table} is not in {tables:?}");
    }
    let applied = LogPattern::stderr(r"^ *Applying bakery\.0001_initial\.\.\. OK$");
    app.web.logs().line(applied).now()?;
    // And there is none that somebody forgot to write.
    let complete = ["django-admin", "makemigrations", "--check", "--dry-run"];
    app.web.exec(complete).await?.success()?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn migrations_can_be_left_to_others(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "unmigrated").await?.env("SKIP_MIGRATIONS", "1").start().await?;
    assert_eq!(neighbour::tables(app, "unmigrated").await?, [""; 0]);
    assert!(!web.logs().stderr().contains("Applying"), "{}", web.tail());
    Ok(())
}

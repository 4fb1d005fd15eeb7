//! What an image does with its database, and without.

use std::time::{Duration, Instant};

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::network::{Way, reach};
use plimsoll_harness::{
    Container, ContainerDefinition, Exit, Network, StartError, WaitError, require_docker,
};

use crate::assert_services::{NEVER, bakery, postgresql};
use crate::{Error, TestResult};

/// The tables of the database, sorted.
async fn tables(database: &Container) -> Result<Vec<String>, Error> {
    let query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let asked = database.exec(["psql", "-U", "bakery", "-qtAc", query]).await?.success()?;
    Ok(asked.stdout_text().lines().map(str::to_owned).collect())
}

async fn clean(database: &Container) -> TestResult {
    for command in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
        database.exec(["psql", "-U", "bakery", "-qc", command]).await?.success()?;
    }
    Ok(())
}

fn on_database(bakery: ContainerDefinition, network: &Network) -> ContainerDefinition {
    let url = "postgresql://bakery:sugar@db/bakery";
    bakery.env("DATABASE_URL", url).network(network, ["web"])
}

#[tokio::test]
async fn migrations_create_the_tables_of_a_clean_database_and_say_so() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("migrations").await?;
    let database = postgresql(&engine).await?.network(&network, ["db"]).start().await?;
    let definition = on_database(bakery(&engine).await?, &network);
    let bakery = definition.clone().start().await?;
    bakery.logs().line("Applying bakery.0001_initial... OK").now()?;
    assert_eq!(tables(&database).await?, ["bakery_cake", "django_migrations"]);
    drop(bakery);
    clean(&database).await?;
    let skips = definition.env("SKIP_MIGRATIONS", "1").start().await?;
    assert_eq!(tables(&database).await?, [""; 0]);
    assert!(skips.logs().line("Applying").now().is_err());
    Ok(())
}

/// It ends at once and says why, and so does its start; not after the deadline.
#[tokio::test]
async fn without_its_database_an_application_ends_and_says_why() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("no-database").await?;
    let begun = Instant::now();
    let started = on_database(bakery(&engine).await?, &network).start().await;
    let Err(StartError::NotReady(WaitError::Exited { exit, tail, .. })) = started else {
        return Err(format!("it should have exited: {started:?}").into());
    };
    assert_eq!(exit, Exit { code: 1, oom_killed: false });
    let said = tail.stderr.join("\n");
    assert!(said.contains("could not translate host name \"db\" to address"), "{said}");
    assert!(!said.contains("sugar"), "{said}");
    assert!(begun.elapsed() < NEVER / 2, "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn an_application_survives_the_loss_of_its_database() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("lost-database").await?;
    let database = postgresql(&engine).await?.network(&network, ["db"]).start().await?;
    let bakery = on_database(bakery(&engine).await?, &network).start().await?;
    let http = bakery.http();
    http.get("/health/").await?.assert_status(200)?;
    let lost = database.disconnect().await?;
    reach(&bakery, "db", 5432).await?.assert(&Way::Closed)?;
    http.get("/health/").within(Duration::from_secs(60)).await?.assert_status(500)?;
    lost.reconnect().await?;
    http.get("/health/").await?.assert_status(200)?;
    Ok(())
}

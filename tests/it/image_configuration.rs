//! Which image is tested, in which variations, and by which way it is asked.

use std::io::Write;
use std::process::Command;

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::files::{self, regular};
use plimsoll_harness::assert::image::{self, meta};
use plimsoll_harness::assert::matrix::Matrix;
use plimsoll_harness::assert::network::{Name, leads_to};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{Condition, ContainerDefinition, Engine, require_docker};
use plimsoll_tests::image::{DJANGO, POSTGRESQL, SCRATCH};

use crate::assert_services::{NEVER, get, nginx};
use crate::{Error, TestResult};

/// Where CI puts the name of the image that it has just built.
const IMAGE: &str = "BAKERY_IMAGE";

async fn image_under_test(engine: &Engine) -> Result<String, Error> {
    let image = match std::env::var(IMAGE) {
        Ok(image) => image,
        Err(_) => DJANGO.ensure(engine).await?,
    };
    writeln!(std::io::stderr(), "image under test: {image}")?;
    Ok(image)
}

#[tokio::test]
async fn the_image_under_test_is_a_bakery() -> TestResult {
    let engine = require_docker!();
    let found = image::metadata(&engine, &image_under_test(&engine).await?).await?;
    found.assert(&meta().label("org.opencontainers.image.title", "bakery").exposes(8000))?;
    Ok(())
}

/// The test above, as CI runs it with an image of its choice.
#[tokio::test]
async fn the_image_under_test_comes_from_the_environment() -> TestResult {
    let engine = require_docker!();
    let test = "image_configuration::the_image_under_test_is_a_bakery";
    for (image, passes) in
        [(DJANGO.ensure(&engine).await?, true), (SCRATCH.ensure(&engine).await?, false)]
    {
        let run = Command::new(std::env::current_exe()?)
            .args(["--exact", test, "--nocapture"])
            .env(IMAGE, &image)
            .output()?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned()
            + &String::from_utf8_lossy(&run.stdout);
        assert_eq!(run.status.success(), passes, "{said}");
        assert!(said.contains(&format!("image under test: {image}")), "{said}");
        // libtest prints errors for debugging, and this one is readable even so.
        let message = format!("failed to match image `{image}`\n  label ");
        assert_eq!(said.contains(&message), !passes, "{said}");
    }
    Ok(())
}

/// What the entrypoint writes is read once it has: the program itself need not run.
#[tokio::test]
async fn variations_of_an_image_write_their_configuration() -> TestResult {
    let engine = require_docker!();
    let written = ContainerDefinition::new("postgresql", POSTGRESQL.ensure(&engine).await?)
        .env("PGDATA", "/tmp/data")
        .env("POSTGRES_PASSWORD", "sugar")
        .cmd(["postgres", "--version"])
        .ready(Condition::Exit(0).within(NEVER));
    let search = |language| format!("default_text_search_config = 'pg_catalog.{language}'");
    let settings = [
        ("plain", "", search("english")),
        ("German", "--text-search-config=german", search("german")),
        ("Swedish", "--text-search-config=swedish", search("swedish")),
        ("messages", "--lc-messages=C", "lc_messages = 'C'".to_owned()),
        ("money", "--lc-monetary=C", "lc_monetary = 'C'".to_owned()),
        ("numbers", "--lc-numeric=C", "lc_numeric = 'C'".to_owned()),
        ("times", "--lc-time=C", "lc_time = 'C'".to_owned()),
        ("two", "--lc-time=C --text-search-config=simple", search("simple")),
    ];
    let matrix = settings.iter().fold(Matrix::new(written), |matrix, (case, value, _)| {
        matrix.case(*case, [("POSTGRES_INITDB_ARGS", *value)])
    });
    let settings = &settings;
    let read = |case: String, started: Result<_, _>| async move {
        let (.., line) = settings.iter().find(|(name, ..)| *name == case).ok_or("no such case")?;
        let container = started?;
        let expected =
            regular().mode(0o600).owner("postgres").content(matching(format!(r"(?m)^{line}\s")));
        files::read(&container, "/tmp/data/postgresql.conf").await?.assert(&expected)?;
        Ok::<_, Error>(())
    };
    assert_eq!(matrix.run(read).await.all()?.len(), 8);
    Ok(())
}

/// Not through a published port: for those whose client has to know the container itself.
#[tokio::test]
async fn a_client_of_ones_own_asks_the_containers_address() -> TestResult {
    let engine = require_docker!();
    let mut definition = nginx(&engine).await?;
    definition.ports.clear();
    let nginx = definition.start().await?;
    let Name::LeadsTo { addresses, .. } = leads_to(&nginx).await? else {
        return Err("it has no address".into());
    };
    let answer = get((addresses[0], 80).into(), "/")?;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("It works"), "{answer}");
    Ok(())
}

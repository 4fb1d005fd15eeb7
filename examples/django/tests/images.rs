//! The images the stack is made of.

use std::env;

use plimsoll_harness::{Build, Engine, Failure, ImageDefinition, PullPolicy, block_on};
use plimsoll_tests::base::base;
use plimsoll_tests::image::{NGINX, POSTGRESQL, Recipe};

use crate::Error;
use crate::stack::Bakery;

/// What a test gets that takes `app: &BakeryLive`.
impl Default for Bakery {
    fn default() -> Self {
        let found = block_on(bakery());
        let mut bakery = found.unwrap_or_else(|error| panic!("{}", Failure::of(&*error)));
        // One of the tests keeps a transaction open without a session.
        bakery.db.settings.push(("max_prepared_transactions".to_owned(), "1".to_owned()));
        bakery
    }
}

/// The stack on the images that `POSTGRES_IMAGE`, `BAKERY_IMAGE` and `NGINX_IMAGE` name. They
/// are pulled where they are not on the engine, and built where none is named.
pub(crate) async fn bakery() -> Result<Bakery, Error> {
    let engine = Engine::connect()?;
    let postgres = service("POSTGRES_IMAGE", &engine, &POSTGRESQL).await?;
    let nginx = service("NGINX_IMAGE", &engine, &NGINX).await?;
    Ok(Bakery::on(postgres, under_test(&engine).await?, nginx))
}

/// The image under test: the one that CI has built before, or one built now.
async fn under_test(engine: &Engine) -> Result<ImageDefinition, Error> {
    if let Some(image) = named("BAKERY_IMAGE") {
        return Ok(image);
    }
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/django");
    Ok(Build::from_context("bakery", directory).arg("BASE", base(engine).await?).into())
}

/// These tests run where nothing can be pulled as well, on what Debian's packages have. Where
/// there is a registry, `"postgres:16"` is all it takes.
async fn service(
    variable: &str,
    engine: &Engine,
    recipe: &Recipe,
) -> Result<ImageDefinition, Error> {
    match named(variable) {
        Some(image) => Ok(image),
        None => Ok(recipe.ensure(engine).await?.into()),
    }
}

fn named(variable: &str) -> Option<ImageDefinition> {
    let reference = env::var(variable).ok().filter(|reference| !reference.is_empty())?;
    Some(ImageDefinition::from(reference).pull(PullPolicy::Missing))
}

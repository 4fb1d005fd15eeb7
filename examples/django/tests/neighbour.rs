//! A web container of a test's own, beside the stack that all tests share.

use plimsoll_harness::ContainerDefinition;
use plimsoll_harness::service::PostgreSql;

use crate::Error;
use crate::stack::{Bakery, BakeryLive};

/// The port it listens on, instead of a socket.
const PORT: u16 = 8000;

/// A web container on the network of the stack. Its database is a new one in the stack's
/// PostgreSQL; starting that again would take longer than all the rest.
pub(crate) async fn web(app: &BakeryLive, database: &str) -> Result<ContainerDefinition, Error> {
    app.db.psql(&format!("CREATE DATABASE {database}")).await?;
    let db = PostgreSql { database: database.to_owned(), ..app.db.definition().clone() };
    let url = db.url_at(Bakery::DB.name());
    let mut web = app.web.definition().container("web", &url);
    web.networks = app.db.networks().await?;
    Ok(web.env("BIND", format!("0.0.0.0:{PORT}")).publish(PORT))
}

/// All that is in its database.
pub(crate) async fn tables(app: &BakeryLive, database: &str) -> Result<Vec<String>, Error> {
    let list = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    let found = app.db.psql(&format!("\\connect {database}\n{list}")).await?;
    Ok(found.lines().map(str::to_owned).collect())
}

//! PostgreSQL.

use std::fmt::{self, Display};

use super::url::Url;
use super::{BoxError, Changes, HIDDEN, ServiceError, dial, run, secret_env, with_container};
use crate::container::Container;
use crate::definition::{ContainerDefinition, Mount};
use crate::exec::Exec;
use crate::handle::ContainerHandle;
use crate::image::ImageDefinition;
use crate::port::PortError;
use crate::stack::{Define, DefineError, Links, Live};
use crate::wait::{Condition, Hopeless};

const PORT: u16 = 5432;

/// Keeps what is there at first, if there is anything.
const FIRST: &str =
    concat!(include_str!("postgresql/first.sql"), include_str!("postgresql/keep.sql"), "\\endif\n");

/// What differs once somebody asks again only if the definition or the volume does.
const FINAL: [&str; 4] = [
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
];

/// A PostgreSQL server, 13 or newer, with one database.
///
/// It is ready when its user has got an answer from the database over TCP. If scripts of the image
/// have put anything into it, all databases are kept as templates at that moment, and
/// [`Live::clean`] leads back to them; otherwise to an empty database. Other databases and roles
/// are gone then, and so are connections. [`Live::<PostgreSql>::save`] keeps a later state. What
/// is not in a database is not put back: attributes of roles, `ALTER SYSTEM`,
/// `ALTER DATABASE ... SET`.
///
/// ```
/// use plimsoll_harness::service::PostgreSql;
///
/// let mut db = PostgreSql::new("postgres:16");
/// db.user = "a:b".to_owned();
/// db.password = "p@ss/word".to_owned();
/// assert_eq!(db.url_at("db"), "postgres://a%3Ab:p%40ss%2Fword@db/database");
/// ```
#[derive(Clone)]
pub struct PostgreSql {
    /// What it is made of: the official image, or one that takes its variables.
    pub image: ImageDefinition,
    /// The database that it has from the beginning; `database` unless said otherwise.
    pub database: String,
    /// The superuser; `user` unless said otherwise.
    pub user: String,
    /// The superuser's password; `password` unless said otherwise.
    pub password: String,
    /// Where its data are; in memory unless said otherwise.
    pub data: Data,
    /// Settings of the server. A database that is gone after the test needs no disk: unless
    /// said otherwise `fsync`, `full_page_writes` and `synchronous_commit` are off.
    pub settings: Vec<(String, String)>,
    /// What [`PostgreSql::with_container`] has added.
    pub changes: Changes,
}

/// Where a server keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory, which is several times faster. A stop of the container is the end of it.
    Memory,
    /// Where the image says: it outlives a restart, and a volume can be mounted there.
    Image,
}

/// A place for data in memory that belongs to no image; its users differ from image to image, so
/// all may write there.
const MEMORY: &str = "/plimsoll";

with_container!(PostgreSql);

impl PostgreSql {
    /// A server of this image.
    pub fn new(image: impl Into<ImageDefinition>) -> Self {
        let off = |name: &str| (name.to_owned(), "off".to_owned());
        Self {
            image: image.into(),
            database: "database".to_owned(),
            user: "user".to_owned(),
            password: "password".to_owned(),
            data: Data::Memory,
            settings: ["fsync", "full_page_writes", "synchronous_commit"].map(off).into(),
            changes: Changes::default(),
        }
    }

    /// The database's URL for a client that finds the server at `host`, which may carry a port.
    pub fn url_at(&self, host: impl Display) -> String {
        let Self { database, user, password, .. } = self;
        Url::new("postgres").login(user, password).host(host).segment(database)
    }

    fn check(&self) -> Result<(), DefineError> {
        let Self { database, user, password, .. } = self;
        let reason = if user.is_empty() {
            "the name of PostgreSQL's user is empty; set `user`".to_owned()
        } else if database.is_empty() {
            "the name of PostgreSQL's database is empty; set `database`".to_owned()
        } else if password.is_empty() {
            format!(
                "PostgreSQL's user `{user}` has no password, and its image makes no database \
                 without one; set `password`"
            )
        } else {
            return Ok(());
        };
        Err(DefineError::other(reason))
    }

    /// `psql`, reading what to do from its input. Through variables a name is a name, whatever
    /// is in it, and no password is in the command.
    fn client(&self, handle: &ContainerHandle, sql: &str) -> Exec {
        let database = format!("database={}", self.database);
        handle
            .exec(["psql", "-XqtA0", "-v", "ON_ERROR_STOP=1", "-v", &database])
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", &self.database)
            .stdin(sql)
    }

    /// A client that may do what needs a database without connections.
    fn maintenance(&self, handle: &ContainerHandle, sql: &str) -> Exec {
        self.client(handle, sql).env("PGDATABASE", "template1")
    }

    /// Asks as another container would: over TCP, where the server that official images run
    /// for their scripts does not listen, and by the container's own address, where the
    /// password counts.
    async fn answers(&self, handle: &ContainerHandle) -> Result<(), BoxError> {
        drop(dial(handle, PORT).await?);
        let client = self.client(handle, FIRST);
        let asked = client.env("PGHOST", own_address(handle).await?).await?;
        let Err(failed) = asked.success() else { return Ok(()) };
        let said = failed.output.stderr_text();
        if !FINAL.iter().any(|reason| said.contains(reason)) {
            return Err(failed.into());
        }
        let Self { user, database, .. } = self;
        Err(Hopeless(format!(
            "PostgreSQL keeps user `{user}` from database `{database}`; if its data are on a \
             volume, users and passwords are those of the volume's first start\n{}{}",
            said.trim_end(),
            handle.tail()
        ))
        .into())
    }
}

/// The address the container has on its first network.
async fn own_address(handle: &ContainerHandle) -> Result<String, BoxError> {
    let networks = handle.inspect().await?.network_settings.and_then(|it| it.networks);
    let addresses = networks.into_iter().flatten().filter_map(|(_, network)| network.ip_address);
    // On its host's network it has none of its own.
    let mut addresses = addresses.filter(|address| !address.is_empty());
    Ok(addresses.next().unwrap_or_else(|| "127.0.0.1".to_owned()))
}

impl Define for PostgreSql {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        self.check()?;
        let settings = self.settings.iter();
        let settings = settings.flat_map(|(name, value)| ["-c".into(), format!("{name}={value}")]);
        let asking = self.clone();
        let ready = Condition::until("PostgreSQL answers its user", move |handle| {
            let asking = asking.clone();
            async move { asking.answers(&handle).await }
        });
        let definition = ContainerDefinition::new(links.name(), self.image.clone())
            .cmd(std::iter::once("postgres".to_owned()).chain(settings))
            .env("POSTGRES_DB", &self.database)
            .env("POSTGRES_USER", &self.user)
            .env("POSTGRES_INITDB_ARGS", "--no-sync")
            .publish(PORT)
            .ready(ready);
        let definition = match self.data {
            Data::Memory => definition
                .mount(Mount::tmpfs(MEMORY).option("mode=1777"))
                .env("PGDATA", format!("{MEMORY}/data")),
            Data::Image => definition,
        };
        let definition = secret_env(definition, "POSTGRES_PASSWORD", &self.password);
        self.changes.apply(definition, links)
    }

    async fn clean(&self, container: &Container) -> Result<(), BoxError> {
        let sql = include_str!("postgresql/clean.sql");
        run(container, self.maintenance(container, sql)).await?;
        Ok(())
    }
}

impl Live<PostgreSql> {
    /// The database's URL for a client on this machine.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn url(&self) -> Result<String, PortError> {
        Ok(self.definition().url_at(self.mapped_port(PORT).await?))
    }

    /// Runs SQL, or commands of psql, as the superuser in the database, and gives what psql
    /// writes: a line for each row, its columns separated by `|`. It stops at the first error.
    ///
    /// # Errors
    ///
    /// PostgreSQL refuses; the error shows what it said.
    pub async fn psql(&self, sql: &str) -> Result<String, ServiceError> {
        let by_line = format!("\\pset recordsep '\\n'\n{sql}");
        let output = run(self, self.definition().client(self, &by_line)).await?;
        let text = output.stdout_text();
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// The databases that can be connected to.
    ///
    /// # Errors
    ///
    /// PostgreSQL refuses.
    pub async fn databases(&self) -> Result<Vec<String>, ServiceError> {
        let connectable = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname";
        self.list(connectable).await
    }

    /// The tables of the database; those that are not in the schema `public` with their schema.
    ///
    /// # Errors
    ///
    /// PostgreSQL refuses.
    pub async fn tables(&self) -> Result<Vec<String>, ServiceError> {
        self.list(
            "SELECT CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || tablename
             FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
             ORDER BY 1",
        )
        .await
    }

    /// The roles that PostgreSQL does not bring itself.
    ///
    /// # Errors
    ///
    /// PostgreSQL refuses.
    pub async fn users(&self) -> Result<Vec<String>, ServiceError> {
        self.list("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname").await
    }

    /// Keeps the present state of all databases, and of which roles there are, as what
    /// [`Live::clean`] leads back to: after migrations, say. Connections are closed.
    ///
    /// # Errors
    ///
    /// PostgreSQL refuses.
    pub async fn save(&self) -> Result<(), ServiceError> {
        let maintain = |sql: &str| run(self, self.definition().maintenance(self, sql));
        maintain(include_str!("postgresql/close.sql")).await?;
        let kept = maintain(include_str!("postgresql/keep.sql")).await;
        // Whether or not it could be kept, others want to go on.
        let opened = maintain(include_str!("postgresql/open.sql")).await;
        kept.and(opened).map(drop)
    }

    async fn list(&self, query: &str) -> Result<Vec<String>, ServiceError> {
        let output = run(self, self.definition().client(self, query)).await?;
        Ok(output.stdout_text().split_terminator('\0').map(str::to_owned).collect())
    }
}

impl fmt::Debug for PostgreSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, database, user, password: _, data, settings, changes } = self;
        f.debug_struct("PostgreSql")
            .field("image", image)
            .field("database", database)
            .field("user", user)
            .field("password", &HIDDEN)
            .field("data", data)
            .field("settings", settings)
            .field("changes", changes)
            .finish()
    }
}

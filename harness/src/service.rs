//! Definitions of common servers, ready to be nodes of a stack or to be started alone.
//!
//! Each is plain data with the image first: the official image and those that take the same
//! variables will do. Started, it answers the first request; [`crate::Live::clean`] leaves
//! nothing of the test before; URLs are percent-encoded, and no password is in an error or in
//! `Debug`.
//!
//! ```no_run
//! use plimsoll_harness::Define;
//! use plimsoll_harness::service::PostgreSql;
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let db = PostgreSql::new("postgres:16").start().await?;
//! db.psql("create table cakes (name text)").await?;
//! assert_eq!(db.tables().await?, ["cakes"]);
//! db.clean().await?;
//! assert!(db.tables().await?.is_empty());
//! let url = db.url().await?; // postgres://user:password@127.0.0.1:32768/database
//! # let _ = url;
//! # Ok(())
//! # }
//! ```
//!
//! In a stack, others read its address and so wait for it:
//!
//! ```
//! use plimsoll_harness::service::{Nginx, PostgreSql};
//! use plimsoll_harness::{ContainerDefinition, Define, DefineError, Links, Stack};
//!
//! #[derive(Clone, Debug)]
//! struct Web;
//!
//! impl Define for Web {
//!     fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
//!         let database = links.node(&App::DB)?.url_at(links.host(&App::DB)?);
//!         Ok(ContainerDefinition::new("", "acme/web:ci").env("DATABASE_URL", database))
//!     }
//! }
//!
//! #[derive(Stack, Clone, Debug)]
//! struct App {
//!     db: PostgreSql,
//!     web: Web,
//!     proxy: Nginx,
//! }
//!
//! let proxy = Nginx::new("nginx:1.27").with_container(|container, links| {
//!     let web = links.host(&App::WEB)?;
//!     let site = format!("server {{ listen 80; location / {{ proxy_pass http://{web}:8000; }} }}");
//!     Ok(container.file("/etc/nginx/conf.d/default.conf", site, 0o644))
//! });
//! let app = App { db: PostgreSql::new("postgres:16"), web: Web, proxy };
//! let plan = "1. db: postgres:16\n2. web: acme/web:ci (after db)\n3. proxy: nginx:1.27 (after web)\n";
//! assert_eq!(app.plan()?.to_string(), plan);
//! # Ok::<(), DefineError>(())
//! ```

mod distribution;
mod nginx;
mod postgresql;
mod rabbitmq;
mod redis;
mod url;

pub use distribution::{Distribution, Tls};
pub use nginx::Nginx;
pub use postgresql::{Data, PostgreSql};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::definition::ContainerDefinition;
use crate::exec::{Exec, ExecFailed, ExecOutput};
use crate::failure::debug_by_message;
use crate::handle::ContainerHandle;
use crate::port::PortError;
use crate::request::RequestError;
use crate::stack::{DefineError, Links};
use crate::wait::{self, WaitError};

/// Something that was asked of a service in vain.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The engine refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A port of it is not published.
    #[error(transparent)]
    Port(#[from] PortError),
    /// It did not come to do what it should.
    #[error(transparent)]
    NotReady(#[from] WaitError),
    /// Its own program refused.
    #[error("run a command in `{node}`")]
    Command {
        /// The container's name in its definition.
        node: String,
        /// What the program wrote.
        source: ExecFailed,
    },
    /// It could not be asked over its own protocol, or it refused.
    #[error("ask the server in `{node}`")]
    Refused {
        /// The container's name in its definition.
        node: String,
        /// What it said, or why it could not.
        source: BoxError,
    },
}

debug_by_message!(ServiceError);

/// What a container of a service has beside what the fields of the service say.
#[derive(Clone, Default)]
pub struct Changes(Vec<Arc<Change>>);

type Change = dyn Fn(ContainerDefinition, &Links<'_>) -> Result<ContainerDefinition, DefineError>
    + Send
    + Sync;

impl Changes {
    fn add(
        &mut self,
        change: impl Fn(ContainerDefinition, &Links<'_>) -> Result<ContainerDefinition, DefineError>
        + Send
        + Sync
        + 'static,
    ) {
        self.0.push(Arc::new(change));
    }

    fn apply(
        &self,
        definition: ContainerDefinition,
        links: &Links<'_>,
    ) -> Result<ContainerDefinition, DefineError> {
        self.0.iter().try_fold(definition, |definition, change| change(definition, links))
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Changes").field(&self.0.len()).finish()
    }
}

/// Lets a service's container have more than the service's own fields.
macro_rules! with_container {
    ($service:ty) => {
        impl $service {
            /// Changes its container: limits, mounts, networks, or what the definition of
            /// another node says. Changes are made in order, after all else.
            #[must_use]
            pub fn with_container(
                mut self,
                change: impl Fn(
                    $crate::ContainerDefinition,
                    &$crate::Links<'_>,
                ) -> Result<$crate::ContainerDefinition, $crate::DefineError>
                + Send
                + Sync
                + 'static,
            ) -> Self {
                self.changes.add(change);
                self
            }
        }
    };
}
use with_container;

/// Any error of a condition or of a clean-up.
type BoxError = Box<dyn Error + Send + Sync>;

/// A password in `Debug`.
const HIDDEN: &str = "***";

/// Sets a variable that is in nothing that prints the definition.
fn secret_env(
    definition: ContainerDefinition,
    name: &'static str,
    value: &str,
) -> ContainerDefinition {
    let assignment = format!("{name}={value}");
    definition.patch(move |request| {
        request.env.get_or_insert_default().push(assignment.clone());
    })
}

/// Runs a program of the service that has to succeed.
async fn run(handle: &ContainerHandle, exec: Exec) -> Result<ExecOutput, ServiceError> {
    let failed = |source| ServiceError::Command { node: handle.node().to_owned(), source };
    exec.await?.success().map_err(failed)
}

/// Connects to a port of the container, if somebody listens there.
async fn dial(handle: &ContainerHandle, port: u16) -> Result<TcpStream, BoxError> {
    let address = handle.reach(port).await?.address();
    Ok(wait::connect(address).await.map_err(|error| format!("{address}: {error}"))?)
}

//! Several containers that belong together: planned as a value, started in parallel, removed as
//! one.

mod builder;
mod define;
mod error;
mod graph;
mod links;
mod live;
mod node;
mod picture;
mod plan;
mod reference;
mod run;
mod share;
mod teardown;
#[cfg(test)]
mod tests;
mod world;

pub use builder::{StackBuilder, Started};
pub use define::Define;
pub use error::{CleanError, DefineError, StackError};
pub use links::Links;
pub(crate) use links::Read;
pub use live::Live;
pub use node::Node;
pub use plan::{PlannedKind, PlannedNode, StackPlan};
pub use reference::Ref;
pub use share::LiveStack;
pub use teardown::StackGuard;
pub(crate) use teardown::Teardown;
pub(crate) use world::World;

use std::fmt::Debug;
use std::future::Future;

use crate::scope::SharedNode;

/// Containers, volumes and networks that are started together. Derive it: every field is a node,
/// named as the field is (with `-` for `_`), and other containers find it by that name.
///
/// For a struct `App` the derive makes a reference to each node, such as `App::DB`, for
/// [`Links`]; and `AppLive`, which has the running nodes as fields of the same names. When that
/// value is dropped, all of them are removed at once.
///
/// ```
/// use plimsoll_harness::{ContainerDefinition, Define, DefineError, Links, LogWait, Stack};
///
/// #[derive(Clone, Debug)]
/// struct PostgreSql {
///     user: String,
///     password: String,
/// }
///
/// impl Define for PostgreSql {
///     fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
///         Ok(ContainerDefinition::new(links.name(), "postgres:16")
///             .env("POSTGRES_USER", &self.user)
///             .env("POSTGRES_PASSWORD", &self.password)
///             .ready(LogWait::stderr("ready to accept connections")))
///     }
/// }
///
/// #[derive(Clone, Debug)]
/// struct Web;
///
/// impl Define for Web {
///     fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
///         // Reading another node is the dependency on it.
///         let db = links.node(&App::DB)?;
///         let host = links.host(&App::DB)?;
///         Ok(ContainerDefinition::new(links.name(), "acme/web:ci")
///             .env("DATABASE_URL", format!("postgres://{}:{}@{host}/", db.user, db.password))
///             .publish(8000))
///     }
/// }
///
/// #[derive(Stack, Clone, Debug)]
/// struct App {
///     db: PostgreSql,
///     web: Web,
/// }
///
/// let db = PostgreSql { user: "user".into(), password: "password".into() };
/// let mut app = App { db, web: Web };
/// app.db.password = "for this test only".into();
/// assert_eq!(app.plan()?.to_string(), "1. db: postgres:16\n2. web: acme/web:ci (after db)\n");
/// # async fn test(app: App) -> Result<(), Box<dyn std::error::Error>> {
/// let app = app.start().await?;
/// let address = app.web.mapped_port(8000).await?;
/// # Ok(())
/// # }
/// # Ok::<(), DefineError>(())
/// ```
///
/// A stack has named fields, and each of them is a node: neither of these compiles.
///
/// ```compile_fail
/// # use plimsoll_harness::{ContainerDefinition, Stack};
/// #[derive(Stack, Clone, Debug)]
/// struct App(ContainerDefinition);
/// ```
///
/// ```compile_fail,E0277
/// # use plimsoll_harness::{ContainerDefinition, Stack};
/// #[derive(Stack, Clone, Debug)]
/// struct App {
///     db: ContainerDefinition,
///     port: u16,
/// }
/// ```
pub trait Stack: Clone + Debug + Send + Sync + 'static {
    /// The running nodes.
    type Live: LiveStack + Send + Sync + 'static;

    /// The nodes, without their types.
    fn builder(&self) -> StackBuilder;

    /// Gives the running nodes their types back.
    #[doc(hidden)]
    fn live(started: Started) -> Self::Live;

    /// What another process needs to know of the running nodes.
    #[doc(hidden)]
    fn describe(live: &Self::Live) -> Vec<SharedNode>;

    /// Decides what will be started, and in which order. Docker is not asked.
    ///
    /// # Errors
    ///
    /// A definition refuses, reads a node that is not there, or reads in a cycle.
    fn plan(&self) -> Result<StackPlan, DefineError> {
        self.builder().plan()
    }

    /// Starts each node as soon as those it reads are ready. [`crate::block_on`] does without
    /// `async`, and [`crate::scope`] shares a stack between tests.
    ///
    /// # Errors
    ///
    /// The plan fails, or a node does not become ready. The error says which, why, and what was
    /// not started because of it. Everything has been removed then; it is as well if the
    /// returned future is dropped before it is done.
    fn start(&self) -> impl Future<Output = Result<Self::Live, StackError>> + Send {
        let builder = self.builder();
        async move { builder.start().await.map(Self::live) }
    }
}

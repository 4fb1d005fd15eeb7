//! Redis.

mod client;
mod state;

use std::fmt::{self, Display};

use self::client::{Client, Reply};
use self::state::State;
use super::url::Url;
use super::{BoxError, Changes, HIDDEN, ServiceError, with_container};
use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::handle::ContainerHandle;
use crate::image::ImageDefinition;
use crate::port::PortError;
use crate::stack::{Define, DefineError, Links, Live};
use crate::wait::{Condition, Hopeless};

const PORT: u16 = 6379;

/// The server's configuration. A file of it keeps the password out of the command.
const CONFIG: &str = "/etc/plimsoll/redis.conf";

/// Where it is written down how the server was at first: not every process that cleans it has
/// started it.
const FIRST: &str = "/etc/plimsoll/redis-first.json";

/// A Redis, 6 or newer, that writes nothing to disk.
///
/// [`Live::clean`] empties all databases, forgets scripts and functions, and puts configuration
/// and users back as they were at first. Connections stay.
///
/// ```
/// use plimsoll_harness::service::Redis;
///
/// let mut cache = Redis::new("redis:7");
/// assert_eq!(cache.url_at("cache"), "redis://cache/");
/// cache.password = Some("p@ss/word".to_owned());
/// assert_eq!(cache.url_at("cache:6380"), "redis://default:p%40ss%2Fword@cache:6380/");
/// ```
#[derive(Clone)]
pub struct Redis {
    /// What it is made of.
    pub image: ImageDefinition,
    /// What clients have to know, if anything.
    pub password: Option<String>,
    /// What [`Redis::with_container`] has added.
    pub changes: Changes,
}

with_container!(Redis);

impl Redis {
    /// A server of this image, which lets everyone in.
    pub fn new(image: impl Into<ImageDefinition>) -> Self {
        Self { image: image.into(), password: None, changes: Changes::default() }
    }

    /// Its URL for a client that finds it at `host`, which may carry a port. A number after it
    /// is a database other than 0.
    pub fn url_at(&self, host: impl Display) -> String {
        let url = Url::new("redis");
        let url = match &self.password {
            Some(password) => url.login("default", password),
            None => url,
        };
        url.host(host).root()
    }

    fn config(&self) -> String {
        let open = "protected-mode no\nsave \"\"\n".to_owned();
        match &self.password {
            // In quotes any byte can be written by its number.
            Some(password) => {
                password
                    .bytes()
                    .fold(open + "requirepass \"", |config, byte| format!("{config}\\x{byte:02x}"))
                    + "\"\n"
            }
            None => open,
        }
    }

    async fn connect(&self, handle: &ContainerHandle) -> Result<Client, BoxError> {
        Client::connect(handle, PORT, self.password.as_deref()).await
    }

    /// Asks until there is an answer, and then writes down how it is configured.
    async fn answers(&self, handle: &ContainerHandle) -> Result<(), BoxError> {
        let mut client = self.connect(handle).await.map_err(hopeless)?;
        client.ask(&["PING"]).await.map_err(hopeless)?;
        let first = State::of(&mut client).await?;
        handle.write_file(FIRST, serde_json::to_vec(&first)?, 0o644).await?;
        Ok(())
    }

    async fn forget(&self, handle: &ContainerHandle) -> Result<(), BoxError> {
        let first: State = serde_json::from_slice(&handle.read_file(FIRST).await?)?;
        let mut client = self.connect(handle).await?;
        for words in first.from(&State::of(&mut client).await?) {
            client.ask(&words).await?;
        }
        client.ask(&["FLUSHALL"]).await?;
        client.ask(&["SCRIPT", "FLUSH"]).await?;
        match client.ask(&["FUNCTION", "FLUSH"]).await {
            // It is not 7 yet.
            Err(error) if error.to_string().starts_with("ERR unknown command") => Ok(()),
            flushed => flushed.map(drop),
        }
    }
}

/// A refusal that asking again cannot heal.
fn hopeless(error: BoxError) -> BoxError {
    let refused = error.to_string();
    if ["WRONGPASS", "NOAUTH", "ERR AUTH"].iter().any(|code| refused.starts_with(code)) {
        return Hopeless(format!("Redis refuses the password: {refused}")).into();
    }
    error
}

impl Define for Redis {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let asking = self.clone();
        let ready = Condition::until("Redis answers", move |handle| {
            let asking = asking.clone();
            async move { asking.answers(&handle).await }
        });
        let definition = ContainerDefinition::new(links.name(), self.image.clone())
            .cmd(["redis-server", CONFIG])
            .file(CONFIG, self.config(), 0o644)
            .publish(PORT)
            .ready(ready);
        self.changes.apply(definition, links)
    }

    async fn clean(&self, container: &Container) -> Result<(), BoxError> {
        let (redis, handle) = (self.clone(), container.handle());
        container.engine().observe(async move { redis.forget(&handle).await }).await
    }
}

impl Live<Redis> {
    /// Its URL for a client on this machine.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn url(&self) -> Result<String, PortError> {
        Ok(self.definition().url_at(self.mapped_port(PORT).await?))
    }

    /// Runs a command in database 0, and gives what `redis-cli` would write: the answers of a
    /// list one in a line, and nothing for nil.
    ///
    /// # Errors
    ///
    /// Redis refuses; the error shows what it said.
    pub async fn cli<S: Into<String>>(
        &self,
        words: impl IntoIterator<Item = S>,
    ) -> Result<String, ServiceError> {
        let words = words.into_iter().map(Into::into).collect();
        Ok(self.ask(0, words).await?.texts().join("\n"))
    }

    /// The keys in a database, sorted.
    ///
    /// # Errors
    ///
    /// Redis refuses.
    pub async fn keys(&self, database: u32) -> Result<Vec<String>, ServiceError> {
        let all = ["KEYS", "*"].map(str::to_owned).into();
        let mut keys = self.ask(database, all).await?.texts();
        keys.sort();
        Ok(keys)
    }

    /// Empties all databases, and leaves the rest as it is; [`Live::clean`] leaves nothing.
    ///
    /// # Errors
    ///
    /// Redis refuses.
    pub async fn flush(&self) -> Result<(), ServiceError> {
        self.cli(["FLUSHALL"]).await.map(drop)
    }

    async fn ask(&self, database: u32, words: Vec<String>) -> Result<Reply, ServiceError> {
        let (redis, handle) = (self.definition().clone(), self.handle());
        let asking = async move {
            let mut client = redis.connect(&handle).await?;
            client.ask(&["SELECT", &database.to_string()]).await?;
            client.ask(&words).await
        };
        let refused = |source| ServiceError::Refused { node: self.node().to_owned(), source };
        self.engine().observe(asking).await.map_err(refused)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, password, changes } = self;
        f.debug_struct("Redis")
            .field("image", image)
            .field("password", &password.as_ref().map(|_| HIDDEN))
            .field("changes", changes)
            .finish()
    }
}

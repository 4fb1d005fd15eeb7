//! RabbitMQ.

mod amqp;

use std::fmt::{self, Display};

use serde_json::Value;

use self::amqp::Refused;
use super::url::Url;
use super::{BoxError, Changes, HIDDEN, ServiceError, dial, run, secret_env, with_container};
use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::exec::{Exec, ExecOutput};
use crate::handle::ContainerHandle;
use crate::image::ImageDefinition;
use crate::port::PortError;
use crate::stack::{Define, DefineError, Links, Live};
use crate::wait::{Condition, Hopeless};

const PORT: u16 = 5672;

/// Back to where a first start begins. Each of these is a program of its own, and takes most of a
/// second.
const RESET: &str = "rabbitmqctl -q stop_app; rabbitmqctl -q reset; rabbitmqctl -q start_app";

/// A RabbitMQ with one virtual host and one administrator.
///
/// It is ready when that user has opened that virtual host over AMQP. [`Live::clean`] resets the
/// node: virtual hosts, queues, users and permissions are those of the first start, and
/// connections are closed.
///
/// ```
/// use plimsoll_harness::service::RabbitMq;
///
/// let mut broker = RabbitMq::new("rabbitmq:3");
/// assert_eq!(broker.url_at("broker"), "amqp://user:password@broker/%2F");
/// broker.vhost = "bakery".to_owned();
/// assert_eq!(broker.url_at("[::1]:5672"), "amqp://user:password@[::1]:5672/bakery");
/// ```
#[derive(Clone)]
pub struct RabbitMq {
    /// What it is made of: the official image, or one that takes its variables.
    pub image: ImageDefinition,
    /// The virtual host that it has from the beginning; `/` unless said otherwise.
    pub vhost: String,
    /// The administrator; `user` unless said otherwise.
    pub user: String,
    /// The administrator's password; `password` unless said otherwise.
    pub password: String,
    /// What [`RabbitMq::with_container`] has added.
    pub changes: Changes,
}

with_container!(RabbitMq);

impl RabbitMq {
    /// A broker of this image.
    pub fn new(image: impl Into<ImageDefinition>) -> Self {
        Self {
            image: image.into(),
            vhost: "/".to_owned(),
            user: "user".to_owned(),
            password: "password".to_owned(),
            changes: Changes::default(),
        }
    }

    /// The virtual host's URL for a client that finds the broker at `host`, which may carry a
    /// port.
    pub fn url_at(&self, host: impl Display) -> String {
        let Self { vhost, user, password, .. } = self;
        Url::new("amqp").login(user, password).host(host).segment(vhost)
    }

    async fn answers(&self, handle: &ContainerHandle) -> Result<(), BoxError> {
        let Self { vhost, user, password, .. } = self;
        let stream = dial(handle, PORT).await?;
        let Err(error) = amqp::open(stream, user, password, vhost).await else { return Ok(()) };
        if !error.is::<Refused>() {
            return Err(error);
        }
        Err(Hopeless(format!(
            "RabbitMQ keeps user `{user}` from virtual host `{vhost}`; if its data are on a \
             volume, users and passwords are those of the volume's first start\n{error}{}",
            handle.tail()
        ))
        .into())
    }

    fn ready(&self) -> Condition {
        let asking = self.clone();
        Condition::until("RabbitMQ lets its user in", move |handle| {
            let asking = asking.clone();
            async move { asking.answers(&handle).await }
        })
    }
}

impl Define for RabbitMq {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let Self { image, vhost, user, password, changes } = self;
        for (field, value) in [("vhost", vhost), ("user", user), ("password", password)] {
            if value.is_empty() {
                let reason = format!("the {field} of RabbitMQ is empty; set `{field}`");
                return Err(DefineError::other(reason));
            }
        }
        let definition = ContainerDefinition::new(links.name(), image.clone())
            .env("RABBITMQ_DEFAULT_VHOST", vhost)
            .env("RABBITMQ_DEFAULT_USER", user)
            .publish(PORT)
            .ready(self.ready());
        changes.apply(secret_env(definition, "RABBITMQ_DEFAULT_PASS", password), links)
    }

    async fn clean(&self, container: &Container) -> Result<(), BoxError> {
        run(container, container.exec(["sh", "-euc", RESET])).await?;
        container.wait(self.ready()).await?;
        Ok(())
    }
}

impl Live<RabbitMq> {
    /// The virtual host's URL for a client on this machine.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn url(&self) -> Result<String, PortError> {
        Ok(self.definition().url_at(self.mapped_port(PORT).await?))
    }

    /// Runs `rabbitmqctl` with these arguments.
    ///
    /// # Errors
    ///
    /// RabbitMQ refuses; the error shows what it said.
    pub async fn ctl<S: Into<String>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<ExecOutput, ServiceError> {
        run(self, self.command(arguments)).await
    }

    /// The virtual hosts, sorted.
    ///
    /// # Errors
    ///
    /// RabbitMQ refuses.
    pub async fn vhosts(&self) -> Result<Vec<String>, ServiceError> {
        self.list("name", &["list_vhosts", "name"]).await
    }

    /// The queues of its first virtual host, sorted.
    ///
    /// # Errors
    ///
    /// RabbitMQ refuses.
    pub async fn queues(&self) -> Result<Vec<String>, ServiceError> {
        let vhost = &self.definition().vhost;
        self.list("name", &["list_queues", "--vhost", vhost, "name"]).await
    }

    /// The users, sorted.
    ///
    /// # Errors
    ///
    /// RabbitMQ refuses.
    pub async fn users(&self) -> Result<Vec<String>, ServiceError> {
        self.list("user", &["list_users"]).await
    }

    fn command<S: Into<String>>(&self, arguments: impl IntoIterator<Item = S>) -> Exec {
        let program = ["rabbitmqctl", "-q"].map(str::to_owned);
        self.exec(program.into_iter().chain(arguments.into_iter().map(Into::into)))
    }

    async fn list(&self, column: &str, arguments: &[&str]) -> Result<Vec<String>, ServiceError> {
        let output = self.ctl([arguments, &["--formatter", "json"]].concat()).await?;
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).map_err(|error| {
            ServiceError::Refused { node: self.node().to_owned(), source: error.into() }
        })?;
        let name = |row: &Value| row.get(column)?.as_str().map(str::to_owned);
        let mut names: Vec<_> = rows.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, vhost, user, password: _, changes } = self;
        f.debug_struct("RabbitMq")
            .field("image", image)
            .field("vhost", vhost)
            .field("user", user)
            .field("password", &HIDDEN)
            .field("changes", changes)
            .finish()
    }
}

//! A container test harness for `cargo test` and `cargo nextest`.
//!
//! A [`ContainerDefinition`] is plain data; nothing runs until it is started. The
//! [`Container`] that comes back has kept every byte it wrote since before it ran, and it is
//! gone when the value is dropped, in a panic as well. It is gone, too, when the process ends
//! without dropping it: by an abort, Ctrl-C or SIGKILL. [`scope`] shares one between tests, and
//! [`block_on`] does without `async`.
//!
//! ```no_run
//! use std::time::Duration;
//! use plimsoll_harness::{ContainerDefinition, LogWait, require_docker};
//!
//! # async fn answers() -> Result<(), Box<dyn std::error::Error>> {
//! require_docker!();
//! let redis = ContainerDefinition::new("redis", "redis:7.2")
//!     .publish(6379)
//!     .ready(LogWait::stdout("Ready to accept connections").within(Duration::from_secs(10)))
//!     .start()
//!     .await?;
//! let address = redis.mapped_port(6379).await?;
//! let mark = redis.mark();
//! redis.exec(["redis-cli", "save"]).await?.success()?;
//! redis.logs().after(mark).line("DB saved").within(Duration::from_secs(2)).await?;
//! # let _ = address;
//! # Ok(())
//! # }
//! ```
//!
//! Containers that belong together are a [`Stack`]: plain data as well, planned before Docker is
//! touched, started in parallel, removed as one.
//!
//! Besides lines, [`Condition`] waits for HTTP, ports, health checks, commands, exits, functions,
//! and all or any of them. What can be done with a running container is on [`ContainerHandle`].
//!
//! # What testcontainers does here, and what it does not
//!
//! Any image of testcontainers is a node of a stack ([`TestcontainersImage`]). Finding the engine
//! ([`Engine`]), pulling, building, creating, starting, watching and removing go to the engine's
//! API through its `bollard` re-export, because the runner of testcontainers cannot do what this
//! crate promises: it leaves a created container behind when the start fails, matches each log
//! frame by itself (a line that straddles 16 KiB never matches), has no network aliases, loses
//! the logs before anyone can print them, cannot create without starting, knows no contexts, and
//! takes an image of another platform when the one asked for cannot be pulled.

pub use plimsoll_reaper::Address;
pub use testcontainers;

pub mod assert;

mod archive;
mod artefacts;
mod assignment;
#[doc(hidden)]
pub mod attribute;
mod backoff;
mod blocking;
mod buffer;
mod case;
mod container;
mod copy;
mod create;
mod definition;
mod disconnect;
mod ending;
mod engine;
mod exec;
mod failure;
#[cfg(test)]
mod fake_engine;
mod handle;
mod hash;
mod http;
mod image;
mod inside;
mod line;
mod lines;
mod lock;
mod log_wait;
mod logs;
mod matcher;
mod mismatch;
mod network;
mod port;
mod power;
mod process;
mod pump;
mod record;
mod redact;
mod request;
pub mod scope;
pub mod service;
mod similarity;
mod skip;
mod stack;
mod start;
mod sweep;
mod testcontainers_image;
mod volume;
mod wait;

pub use blocking::block_on;
pub use buffer::LogMark;
pub use container::Container;
pub use copy::CopyError;
pub use definition::{
    ContainerDefinition, ContainerFile, Healthcheck, Limits, Mount, MountSource, NetworkAttachment,
    NetworkTarget, Patch, Protocol, PublishedPort, Ulimit,
};
pub use disconnect::Disconnected;
pub use ending::{Ending, Exit};
pub use engine::{Attempt, Engine, EngineError, Origin, SettingError};
pub use exec::{Exec, ExecFailed, ExecOutput};
pub use failure::Failure;
pub use handle::ContainerHandle;
pub use http::{ContainerHttp, HttpError, HttpRequest, HttpResponse};
pub use image::{
    Build, Dockerfile, ImageDefinition, ImageError, ImageOrigin, OnPlatform, PullPolicy,
};
pub use line::{LogLine, LogSource, LogStream, LogTail};
pub use lock::MachineLock;
pub use log_wait::{LogOrder, LogPattern, LogText, LogWait};
pub use logs::{LogAssertion, LogError, Logs};
pub use matcher::{LogMatcher, PatternError};
pub use mismatch::{LogMismatch, MissReason, NearMiss, PatternOutcome};
pub use network::{Network, NetworkDefinition};
pub use plimsoll_harness_macros::{Stack, test};
pub use port::PortError;
pub use request::{RequestError, Step};
pub use skip::{Skip, docker_or_skip};
pub use stack::{
    CleanError, Define, DefineError, Links, Live, LiveStack, Node, PlannedKind, PlannedNode, Ref,
    Stack, StackBuilder, StackError, StackGuard, StackPlan, Started,
};
pub use start::StartError;
pub use testcontainers_image::TestcontainersImage;
pub use volume::{Volume, VolumeDefinition, VolumeMount};
pub use wait::{
    Condition, ConditionState, ExecWait, HttpWait, PortAddresses, StatusRange, Until, Wait,
    WaitError,
};

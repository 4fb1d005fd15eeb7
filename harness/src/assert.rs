//! What an image promises, checked on containers of it.
//!
//! Every check is the same two steps. First something is looked at, which asks the engine and
//! gives plain data: [`processes::of`], [`files::at`], [`image::metadata`]. Then the data is
//! compared with what is expected, which asks nobody:
//! [`assert`](Observed::assert) gives a [`Mismatch`] that says for every difference
//! where it is, what was expected, what was found and what comes nearest.
//!
//! ```no_run
//! use plimsoll_harness::assert::processes::{self, proc};
//! use plimsoll_harness::assert::text::matching;
//! use plimsoll_harness::assert::{Observed, files};
//! # async fn example(web: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
//! let worker = proc(matching(r"^/usr/bin/python3 .*gunicorn")).user("app");
//! processes::of(&web)
//!     .await?
//!     .assert(&proc("tini -- gunicorn web").child(worker.clone().children(2, worker)))?;
//! files::at(&web, "/etc/app.toml").await?.assert(&files::regular().mode(0o640).owner("root"))?;
//! # Ok(())
//! # }
//! ```
//!
//! A mismatch reads the same wherever a test shows it: returned by `?`, unwrapped, or compared
//! with `Ok(())` by a plain `assert_eq!`. What has been looked at is text as well, without what
//! is another each time, for a snapshot.
//!
//! Nothing here needs a program in the image, except where its documentation says so: files
//! come through the engine's archive API and processes from its `top`, so images without a
//! shell and without a libc are checked like any other.

mod engine;
mod eventually;
mod inner_pid;
mod local;
mod mismatch;
mod pairing;
mod secret;
mod size;
mod users;

pub mod files;
pub mod image;
pub mod lines;
pub mod matrix;
pub mod network;
pub mod open_files;
pub mod ports;
pub mod processes;
pub mod resources;
pub mod shutdown;
pub mod text;

pub use engine::ObserveError;
pub use eventually::{EventuallyError, eventually};
pub use mismatch::{Difference, Expectation, Mismatch, Observed};
pub use users::Owner;

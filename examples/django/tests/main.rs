//! Tests of an image with Django in it, and of the stack it is part of. Without Docker they are
//! skipped and say so; `PLIMSOLL_REQUIRE_DOCKER=1` makes that a failure.

#[path = "../stack.rs"]
mod stack;

mod access_log;
mod admin;
mod document;
mod environment;
mod failures;
mod golden;
mod images;
mod migrations;
mod neighbour;
mod page;
mod processes;
mod shutdown;
mod static_files;

use std::time::Duration;

use plimsoll_harness::ContainerHttp;

use crate::stack::{BakeryLive, HOST};

/// What the tests here return: any error ends one.
type TestResult = Result<(), Error>;

/// Anything that can go wrong in a test.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Longer than anything here takes; a wait that ends by it has failed.
const NEVER: Duration = Duration::from_secs(60);

/// A browser that has just been opened, at the front door.
fn browser(app: &BakeryLive) -> ContainerHttp {
    app.nginx.http().named(HOST)
}

//! testcontainers, as it is used: one container after the other.

use std::time::{Duration, Instant};

use plimsoll_harness::testcontainers::core::WaitFor;
use plimsoll_harness::testcontainers::runners::AsyncRunner;
use plimsoll_harness::testcontainers::{GenericImage, ImageExt};

use crate::{Error, NODES, script};

pub(crate) async fn stack(image: &str) -> Result<Duration, Error> {
    let (name, tag) = image.rsplit_once(':').ok_or("an image without a tag")?;
    let network = format!("plimsoll-bench-tc-{}", std::process::id());
    let begun = Instant::now();
    let mut started = Vec::new();
    for (_, tenths, _) in NODES {
        let image = GenericImage::new(name, tag)
            .with_wait_for(WaitFor::message_on_stdout("ready"))
            .with_network(&network)
            .with_cmd(["sh", "-c", &script(tenths)]);
        started.push(image.start().await?);
    }
    let took = begun.elapsed();
    for container in started {
        container.rm().await?;
    }
    Ok(took)
}

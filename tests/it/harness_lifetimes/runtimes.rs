//! Handles work in every runtime, and in none.

use plimsoll_harness::{Container, ContainerDefinition, Engine, block_on, require_docker};
use plimsoll_tests::image::SCRATCH;
use tokio::runtime::Builder;

fn sleeper(engine: &Engine) -> ContainerDefinition {
    let image = block_on(SCRATCH.ensure(engine)).unwrap();
    ContainerDefinition::new("runtimes", image).cmd(["sleep", "600"])
}

fn answers(container: &Container) {
    assert_eq!(block_on(container.exec(["/busybox", "true"])).unwrap().code, 0);
}

#[test]
fn defect_9_block_on_works_in_any_runtime_and_in_none() {
    let engine = require_docker!();
    let definition = sleeper(&engine);
    let start = || block_on(definition.start()).unwrap();
    let none = start();
    let current_thread = Builder::new_current_thread().build().unwrap();
    let inside = current_thread.block_on(async { start() });
    let multi_thread = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let spawned = multi_thread.block_on(multi_thread.spawn({
        let definition = definition.clone();
        async move { block_on(definition.start()) }
    }));
    let spawned = spawned.unwrap().unwrap();
    // Nested, and with a timer that no runtime of this thread drives.
    let nested = block_on(async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        start()
    });
    drop((current_thread, multi_thread));
    for container in [&none, &inside, &spawned, &nested] {
        answers(container);
    }
    // The drop inside of a runtime is one that may not block it for good.
    Builder::new_current_thread().build().unwrap().block_on(async move { drop(inside) });
}

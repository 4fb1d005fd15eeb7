//! A test process for tests of how test processes end: it does what it is told, says so on
//! standard output, and waits to be killed.
//!
//! `lives hold IMAGE COUNT`: a network and as many containers that ignore SIGTERM.
//! `lives abort|exit|panic IMAGE`: has a container in a static, and ends that way.
//! `lives share IMAGE`: shares a container with the other processes of its run.
//! `lives other IMAGE`: shares something else by the same key, and says why it cannot.
//! `lives late IMAGE`: shares a container that is ready late, and says whether it was ready.
//! `lives half IMAGE`: the same, but the container never becomes ready.

#![expect(clippy::print_stdout, reason = "standard output is how it talks to its test")]

use std::error::Error;
use std::io::Read;
use std::sync::OnceLock;
use std::time::Duration;

use plimsoll_harness::{Container, ContainerDefinition, LogWait, Network, block_on, scope};

const DEADLINE: Duration = Duration::from_secs(600);

static CONTAINER: OnceLock<Container> = OnceLock::new();

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["hold", image, count] => hold(image, count.parse()?),
        [end @ ("abort" | "exit" | "panic"), image] => {
            CONTAINER.set(block_on(stubborn("static", image).start())?).expect("set once");
            println!("ready");
            match end {
                "abort" => std::process::abort(),
                "exit" => std::process::exit(0),
                _ => panic!("as tests do"),
            }
        }
        ["share", image] => share(&stubborn("shared", image)),
        ["other", image] => {
            let other = stubborn("shared", image).env("OTHER", "1");
            let error = block_on(scope::run("lives", || other)).err().ok_or("it was shared")?;
            println!("{error}");
            Ok(())
        }
        ["late", image] => late(image),
        ["half", image] => {
            let never = LogWait::stdout("never").within(DEADLINE);
            share(&stubborn("shared", image).ready(never))
        }
        _ => Err("what it can be told is said in its source".into()),
    }
}

/// It would take `docker stop` ten seconds.
fn stubborn(name: &str, image: &str) -> ContainerDefinition {
    let script = "trap '' TERM INT; echo up; while true; do sleep 1; done";
    let up = LogWait::stdout("up").within(DEADLINE);
    ContainerDefinition::new(name, image).cmd(["sh", "-c", script]).ready(up)
}

fn hold(image: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let network = block_on(Network::create("held"))?;
    let definition = stubborn("held", image).network(&network, ["held"]);
    let mut containers = Vec::new();
    for _ in 0..count {
        containers.push(block_on(definition.start())?);
    }
    println!("ready");
    wait_for_the_end();
    drop(containers);
    Ok(())
}

fn share(definition: &ContainerDefinition) -> Result<(), Box<dyn Error>> {
    let shared = block_on(scope::run("lives", || definition.clone()))?;
    let wait = LogWait::stdout("up").within(DEADLINE);
    block_on(shared.wait(&wait))?;
    println!("{}", shared.id());
    wait_for_the_end();
    Ok(())
}

/// Booting takes a second; it is ready when there is the file.
fn late(image: &str) -> Result<(), Box<dyn Error>> {
    let script = "sleep 1; echo yes >/ready; echo up; while true; do sleep 1; done";
    let definition = ContainerDefinition::new("late", image)
        .cmd(["sh", "-c", script])
        .ready(LogWait::stdout("up").within(DEADLINE));
    let shared = block_on(scope::run("late", || definition))?;
    let output = block_on(shared.exec(["/busybox", "cat", "/ready"]))?;
    println!("{} {}", shared.id(), output.stdout_text().trim());
    wait_for_the_end();
    Ok(())
}

/// Until standard input ends, which it does with the process that started this one.
fn wait_for_the_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

//! How long a stack takes to start: five nodes that take 1, 1 and 1 second to boot, one of 1 second
//! that needs those three, and one of half a second that needs it. No harness can be faster than
//! the 2.5 seconds of that, and what the engine takes, which is measured in the same run.
//!
//! And what the harness adds to the engine's own time, for one container, one command, and for each
//! kind of wait that an exit ends. And how soon ten stubborn containers are gone after a Ctrl-C.
//!
//! `cargo bench -p plimsoll-tests --bench startup`, on a machine that does nothing else; it fails if
//! ours misses what it promises.

mod interrupted;
mod lag;
mod raw;
mod seaworthy;
mod testcontainers;

use std::time::{Duration, Instant};

use plimsoll_harness::{
    ContainerDefinition, Define, DefineError, Engine, Links, LogWait, Ref, StackBuilder,
};
use plimsoll_tests::image::SCRATCH;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Name, tenths of a second to boot, needs.
const NODES: [(&str, u32, &[&str]); 5] =
    [("a", 10, &[]), ("b", 10, &[]), ("c", 10, &[]), ("d", 10, &["a", "b", "c"]), ("e", 5, &["d"])];
const CRITICAL_PATH: Duration = Duration::from_millis(2500);
const ROUNDS: usize = 5;
const SINGLES: usize = 41;
const EXITS: usize = 5;

fn script(tenths: u32) -> String {
    format!("/busybox sleep {}.{}; echo ready; exec /busybox sleep 600", tenths / 10, tenths % 10)
}

#[derive(Clone, Debug)]
struct Boots {
    image: String,
    tenths: u32,
    needs: &'static [&'static str],
}

impl Define for Boots {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        for needed in self.needs {
            links.host(&Ref::<Boots>::new(needed))?;
        }
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", &script(self.tenths)])
            .ready(LogWait::stdout("ready")))
    }
}

async fn ours(image: &str) -> Result<Duration, Error> {
    let mut stack = StackBuilder::new();
    for (name, tenths, needs) in NODES {
        stack.node(name, Boots { image: image.to_owned(), tenths, needs });
    }
    let begun = Instant::now();
    let started = stack.start().await?;
    let took = begun.elapsed();
    drop(started);
    Ok(took)
}

/// One container that is ready with its first line.
async fn single(image: &str) -> Result<Duration, Error> {
    let definition = ContainerDefinition::new("single", image)
        .cmd(["sh", "-c", &script(0)])
        .ready(LogWait::stdout("ready"));
    let begun = Instant::now();
    let container = definition.start().await?;
    let took = begun.elapsed();
    container.remove().await?;
    Ok(took)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// In milliseconds, what ours takes more than the raw API: the median over pairs of neighbours,
/// since the machine changes more from minute to minute than between two of them.
fn overhead(raw: &[Duration], ours: &[Duration]) -> f64 {
    let more = |(raw, ours): (&Duration, &Duration)| ours.as_secs_f64() - raw.as_secs_f64();
    let mut more: Vec<f64> = raw.iter().zip(ours).map(more).collect();
    more.sort_by(f64::total_cmp);
    more.get(more.len() / 2).copied().unwrap_or_default() * 1e3
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
fn say(line: &str) {
    println!("{line}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let engine = Engine::connect()?;
    let image = SCRATCH.ensure(&engine).await?;
    let (mut raw_single, mut our_single) = (Vec::new(), Vec::new());
    // In turns, so that both meet the same machine.
    for _ in 0..SINGLES {
        raw_single.push(raw::single(&engine, &image, &script(0)).await?);
        our_single.push(single(&image).await?);
    }
    let (mut raw_stack, mut our_stack, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw_stack.push(raw::stack(&engine, &image).await?);
        our_stack.push(ours(&image).await?);
        theirs.push(testcontainers::stack(&image).await?);
    }
    let floor = median(raw_stack);
    let ours = median(our_stack);
    let row = |name: &str, time: Duration| {
        let (seconds, ratio) = (time.as_secs_f64(), time.as_secs_f64() / floor.as_secs_f64());
        say(&format!("{name:<44} {seconds:>7.3} s {ratio:>6.2}"));
    };
    say(&format!("medians of {ROUNDS}; the ratio is to the floor"));
    row("floor: critical path and the engine's own cost", floor);
    row("plimsoll", ours);
    row("testcontainers, one after the other", median(theirs));
    match seaworthy::stack(&image, ROUNDS) {
        Ok(times) => row("Seaworthy 0.4.2", median(times)),
        Err(reason) => say(&format!("Seaworthy was not measured: {reason}")),
    }
    let mut missed = Vec::new();
    if ours > floor.mul_f64(1.15) {
        missed.push("the stack took more than 1.15 times the floor");
    }
    if added("one container", &raw_single, &our_single) > 10.0 {
        missed.push("a container took more than 10 ms over the raw API");
    }
    let (raw_exec, our_exec) = lag::of_exec(&engine, &image, SINGLES).await?;
    if added("one command", &raw_exec, &our_exec) > 10.0 {
        missed.push("a command took more than 10 ms over the raw API");
    }
    for (name, wait) in lag::waits() {
        let mut lags = Vec::new();
        for _ in 0..EXITS {
            lags.push(lag::of_exit(&engine, &image, &wait).await?);
        }
        let slowest = lags.into_iter().max().unwrap_or_default();
        let milliseconds = slowest.as_secs_f64() * 1e3;
        say(&format!(
            "exit to error, waiting for {name}: {milliseconds:.1} ms, the slowest of {EXITS}"
        ));
        if slowest > Duration::from_millis(100) {
            missed.push("an exit took more than 100 ms to end a wait");
        }
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..EXITS {
        slowest = slowest.max(interrupted::ten(&engine, &image).await?);
    }
    let seconds = slowest.as_secs_f64();
    say(&format!("ten containers gone after Ctrl-C: {seconds:.2} s, the slowest of {EXITS}"));
    if slowest > Duration::from_secs(2) {
        missed.push("ten containers took more than 2 s to be gone after a Ctrl-C");
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

/// Says and returns what ours adds, in milliseconds.
fn added(what: &str, raw: &[Duration], ours: &[Duration]) -> f64 {
    let overhead = overhead(raw, ours);
    say(&format!(
        "{what}, medians of {SINGLES}: raw API {:.1} ms, plimsoll {:.1} ms; more, in pairs: {overhead:.1} ms",
        median(raw.to_vec()).as_secs_f64() * 1e3,
        median(ours.to_vec()).as_secs_f64() * 1e3,
    ));
    overhead
}

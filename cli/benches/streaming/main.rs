//! How fast `ocitag promote` carries blobs from one registry to another, and in how much memory.
//!
//! Both registries are servers of this process, which make up what they give and hash what they
//! take: real ones would be measured by their disks. What is carried is compared with what
//! `curl GET | curl PUT` carries between the same two, in turns. Fails when a bound is missed.
//!
//! ```console
//! $ cargo bench -p ocitag --bench streaming
//! ```
#![expect(clippy::print_stdout, reason = "it is a program that prints what it measures")]

mod content;
mod endpoint;

use std::error::Error;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use content::Image;
use endpoint::Endpoint;

/// No blob may make the program use more than this, in KiB, however large it is.
const MOST_MEMORY: u64 = 40 << 10;

/// The least part of curl's throughput.
const LEAST_RATIO: f64 = 0.8;

/// Whoever shares the machine disturbs some turns: the best of each side counts.
const TURNS: usize = 3;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let one = carry(&Image::new(1, 2 << 30), "one blob of 2 GiB", TURNS)?;
    let ratio = one.curl.as_secs_f64() / one.ocitag.as_secs_f64();
    println!("  {ratio:.2} of the throughput of curl | curl (at least {LEAST_RATIO})");
    let four = carry(&Image::new(4, 256 << 20), "four blobs of 256 MiB", 1)?;
    let memory = one.memory.max(four.memory);
    if memory >= MOST_MEMORY {
        return Err(format!("it used {memory} KiB; the limit is {MOST_MEMORY} KiB").into());
    }
    if ratio < LEAST_RATIO {
        return Err(format!("it has {ratio:.2} of curl's throughput, not {LEAST_RATIO}").into());
    }
    Ok(())
}

/// The best of some turns.
struct Outcome {
    ocitag: Duration,
    curl: Duration,
    /// The most that the program had in memory at any time, in KiB.
    memory: u64,
}

fn carry(image: &Image, what: &str, turns: usize) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let from = runtime.block_on(Endpoint::start(Some(image.clone())))?;
    let mut outcome = Outcome { ocitag: Duration::MAX, curl: Duration::MAX, memory: 0 };
    for _ in 0..turns {
        let to = runtime.block_on(Endpoint::start(None))?;
        let started = Instant::now();
        promote(&from, &to)?;
        outcome.ocitag = outcome.ocitag.min(started.elapsed());
        outcome.memory = outcome.memory.max(to.memory());
        to.check(image)?;

        let to = runtime.block_on(Endpoint::start(None))?;
        let started = Instant::now();
        for digest in image.layers() {
            pipe(&from, &to, digest, image.layer_size())?;
        }
        outcome.curl = outcome.curl.min(started.elapsed());
        to.check_layers(image)?;
    }
    let mib = image.size() as f64 / f64::from(1 << 20);
    let rate = |time: Duration| mib / time.as_secs_f64();
    println!("{what}, {turns} times:");
    println!(
        "  ocitag promote  {:6.0} MiB/s, {} KiB at most",
        rate(outcome.ocitag),
        outcome.memory
    );
    println!("  curl | curl     {:6.0} MiB/s, one after the other", rate(outcome.curl));
    Ok(outcome)
}

fn promote(from: &Endpoint, to: &Endpoint) -> Result<()> {
    let (source, target) =
        (format!("{}/bench/image:1.0.0", from.host()), format!("{}/bench/image", to.host()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_ocitag"))
        .args(["promote", &source, &target, "--no-referrers"])
        .stdout(Stdio::null())
        .spawn()?;
    to.watch(child.id());
    succeeded("ocitag", child.wait()?)
}

fn pipe(from: &Endpoint, to: &Endpoint, digest: &str, size: u64) -> Result<()> {
    let get = format!("http://{}/v2/bench/image/blobs/{digest}", from.host());
    let put = format!("http://{}/v2/bench/image/blobs/uploads/1?digest={digest}", to.host());
    let curl = || {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]);
        curl
    };
    let mut reader = curl().arg(get).stdout(Stdio::piped()).spawn()?;
    let content = reader.stdout.take().ok_or("curl has no output")?;
    let writer = curl()
        // Its length is known, as it is to the other side of the comparison.
        .args(["--upload-file", "-", "--header", "Transfer-Encoding:", "--header"])
        .arg(format!("Content-Length: {size}"))
        .arg(put)
        .stdin(content)
        .stdout(Stdio::null())
        .status()?;
    succeeded("curl GET", reader.wait()?)?;
    succeeded("curl PUT", writer)
}

fn succeeded(what: &str, status: ExitStatus) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(format!("{what}: {status}").into()),
    }
}

//! Tests that are killed under `cargo nextest`, each at a random moment.

use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll_harness::{
    Container, ContainerDefinition, Define, DefineError, Links, LogWait, MachineLock, Stack,
    VolumeDefinition, require_docker,
};
use plimsoll_tests::image::SCRATCH;
use rustix::process::{Signal, getpid, kill_process};

use super::nextest::{Run, is_there, run};
use super::{KILLS, NEVER, gone};
use crate::TestResult;

/// The file that each of the tests below writes its process into, and its wish to be killed.
const DIE: &str = "PLIMSOLL_TEST_DIE";

/// From before the first request until all is started, and after that.
const MOMENTS: std::ops::Range<u64> = 0..2500;

#[derive(Clone, Debug)]
struct Stubborn {
    image: String,
}

impl Define for Stubborn {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let script = "trap '' TERM INT; echo up; while true; do sleep 1; done";
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", script])
            .mount(links.volume(&Doomed::FILES)?.at("/files"))
            .ready(LogWait::stdout("up").within(NEVER)))
    }
}

#[derive(Stack, Clone, Debug)]
struct Doomed {
    files: VolumeDefinition,
    first: Stubborn,
    second: Stubborn,
}

/// Starts a network, a volume and two containers, and is killed on the way or afterwards.
async fn die() -> TestResult {
    let Some(pids) = std::env::var_os(DIE) else { return Ok(()) };
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    note(Path::new(&pids))?;
    tokio::spawn(async {
        // Not to wait for anything: this is the random moment.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(MOMENTS))).await;
        kill_process(getpid(), Signal::KILL)
    });
    let stubborn = Stubborn { image };
    let doomed =
        Doomed { files: VolumeDefinition::default(), first: stubborn.clone(), second: stubborn };
    let doomed = doomed.start().await?;
    let held: &Container = &doomed.first;
    held.wait_exit(NEVER).await?;
    Err("it is still alive".into())
}

fn note(pids: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(pids)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// `PLIMSOLL_TEST_KILLS` says how many, at least; the requirement is 200. How long the last of them
/// is outlived is measured, and said where `--nocapture` shows it.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn edge_killed_tests_of_nextest_leave_nothing() -> TestResult {
    let engine = require_docker!();
    if !is_there().await? {
        return Ok(());
    }
    SCRATCH.ensure(&engine).await?;
    let _turn = MachineLock::acquire(KILLS).await?;
    let kills = std::env::var("PLIMSOLL_TEST_KILLS").map_or(Ok(24), |kills| kills.parse())?;
    let (mut killed, mut slowest) = (0_usize, Duration::ZERO);
    while killed < kills {
        let directory = tempfile::tempdir()?;
        let pids = directory.path().join("pids");
        let Run { text, .. } = run(directory.path(), "killed::dies", (DIE, &pids)).await?;
        let begun = Instant::now();
        assert!(text.contains("24 tests run: 0 passed, 24 failed"), "{text}");
        let (_, summary) = text.split_once("Summary [").ok_or("no summary")?;
        assert_eq!(summary.matches("SIGKILL [").count(), 24, "{text}");
        assert!(!text.to_lowercase().contains("leak"), "{text}");
        let pids = std::fs::read_to_string(&pids)?;
        assert_eq!(pids.lines().count(), 24);
        for pid in pids.lines() {
            gone(&engine, &format!("dev.plimsoll.pid={pid}")).await?;
        }
        killed += 24;
        slowest = slowest.max(begun.elapsed());
    }
    eprintln!("{killed} tests killed; the last things were gone {slowest:.1?} after a run");
    Ok(())
}

macro_rules! dies {
    ($($name:ident)*) => {
        mod dies {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() -> crate::TestResult {
                    super::die().await
                }
            )*
        }
    };
}

dies! { a1 a2 a3 a4 a5 a6 a7 a8 b1 b2 b3 b4 b5 b6 b7 b8 c1 c2 c3 c4 c5 c6 c7 c8 }

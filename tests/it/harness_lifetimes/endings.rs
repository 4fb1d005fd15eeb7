//! How a process can end.

use std::time::Duration;

use plimsoll_harness::{Address, Engine, MachineLock, require_docker};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};

use super::{KILLS, Process, find, gone};
use crate::TestResult;

/// The requirements, and how much longer it may take on a machine that has more to do.
const AFTER_INTERRUPT: Duration = Duration::from_secs(2);
const AFTER_KILL: Duration = Duration::from_secs(5);
const PATIENCE: u32 = 4;

#[tokio::test]
async fn defect_8_ten_containers_that_ignore_sigterm_are_gone_soon_after_an_interrupt() -> TestResult
{
    let engine = require_docker!();
    let mut process = Process::start(&engine, &["hold", "10"]).await?;
    assert_eq!(process.line().await?, "ready");
    assert!(!find(&engine, process.label()).await?.is_empty());
    let group = Pid::from_raw(process.pid.cast_signed()).expect("a pid");
    kill_process_group(group, Signal::INT)?;
    assert!(!process.child.wait().await?.success());
    let took = gone(&engine, &process.label()).await?;
    assert!(took < AFTER_INTERRUPT * PATIENCE, "{took:?}");
    Ok(())
}

#[tokio::test]
async fn defect_9_statics_are_removed_after_exit_abort_and_panic() -> TestResult {
    let engine = require_docker!();
    for (ending, success) in [("exit", true), ("abort", false), ("panic", false)] {
        let mut process = Process::start(&engine, &[ending]).await?;
        assert_eq!(process.line().await?, "ready");
        assert_eq!(process.child.wait().await?.success(), success, "{ending}");
        gone(&engine, &process.label()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn edge_killed_process_group_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let mut process = Process::start(&engine, &["hold", "1"]).await?;
    assert_eq!(process.line().await?, "ready");
    kill_process_group(Pid::from_raw(process.pid.cast_signed()).expect("a pid"), Signal::KILL)?;
    process.child.wait().await?;
    gone(&engine, &process.label()).await?;
    Ok(())
}

/// The reaper goes where its process went.
#[tokio::test]
async fn edge_remote_engine_over_tcp_is_cleaned_up_too() -> TestResult {
    let engine = require_docker!();
    let Address::Unix(socket) = engine.address().clone() else {
        // It is tested by all the others then.
        return Ok(());
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let host = format!("tcp://{}", listener.local_addr()?);
    let proxy = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut engine = UnixStream::connect(&socket).await.expect("it answered before");
            // An error ends one connection, which is what it should.
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut engine).await });
        }
    });
    let variables = [("DOCKER_HOST", host.as_str())];
    let mut process = Process::start_in(&engine, &["hold", "1"], &variables).await?;
    assert_eq!(process.line().await?, "ready");
    process.child.kill().await?;
    gone(&engine, &process.label()).await?;
    proxy.abort();
    Ok(())
}

/// Two of them have one image, one engine and the same names, and do not meet. The variable that
/// selects the reaper does nothing by itself.
#[tokio::test]
async fn an_inherited_variable_makes_no_reaper() -> TestResult {
    let engine = require_docker!();
    let variables = [("PLIMSOLL_REAPER", "1")];
    let mut first = Process::start_in(&engine, &["hold", "1"], &variables).await?;
    let mut second = Process::start_in(&engine, &["hold", "1"], &variables).await?;
    for process in [&mut first, &mut second] {
        assert_eq!(process.line().await?, "ready");
    }
    first.child.kill().await?;
    gone(&engine, &first.label()).await?;
    assert!(!find(&engine, second.label()).await?.is_empty(), "the other one's is not touched");
    second.child.kill().await?;
    gone(&engine, &second.label()).await?;
    Ok(())
}

/// `PLIMSOLL_TEST_KILLS` says how many; the requirement is 200.
#[tokio::test(flavor = "multi_thread")]
async fn edge_killed_at_random_moments_processes_leave_nothing() -> TestResult {
    const AT_ONCE: usize = 8;
    let engine = require_docker!();
    let _turn = MachineLock::acquire(KILLS).await?;
    let kills = std::env::var("PLIMSOLL_TEST_KILLS").map_or(Ok(24), |kills| kills.parse())?;
    let (mut started, mut slowest) = (0, Duration::ZERO);
    while started < kills {
        let numbers = started..kills.min(started + AT_ONCE);
        started = numbers.end;
        let wave = numbers.map(|number| tokio::spawn(killed(engine.clone(), number % 2 == 0)));
        for process in wave.collect::<Vec<_>>() {
            slowest = slowest.max(process.await??);
        }
    }
    assert!(slowest < AFTER_KILL * (PATIENCE - 1), "{slowest:?} more than {AFTER_KILL:?}");
    Ok(())
}

/// Says how much longer than it may, its things were there.
async fn killed(engine: Engine, has_started: bool) -> Result<Duration, crate::Error> {
    let mut process = Process::start(&engine, &["hold", "2"]).await?;
    if has_started {
        assert_eq!(process.line().await?, "ready");
        assert!(!find(&engine, process.label()).await?.is_empty());
    }
    // Not to wait for anything: this is the random moment.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..2000))).await;
    process.child.kill().await?;
    // What was on its way comes later than a look that finds nothing.
    tokio::time::sleep(AFTER_KILL).await;
    gone(&engine, &process.label()).await
}

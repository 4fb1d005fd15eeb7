//! Redis as a service, on Debian's.

use plimsoll_harness::service::Redis;
use plimsoll_harness::{Define, Engine, Live, require_docker};
use plimsoll_tests::image::REDIS;

use crate::service::{PASSWORD, ready_each_time, shown};
use crate::{Error, TestResult};

async fn redis(engine: &Engine) -> Result<Redis, Error> {
    Ok(Redis::new(REDIS.ensure(engine).await?))
}

#[tokio::test]
async fn service_redis_answers_the_first_command_fifty_times() -> TestResult {
    let engine = require_docker!();
    ready_each_time(50, &redis(&engine).await?, async |cache| {
        assert_eq!(cache.cli(["incr", "starts"]).await?, "1");
        Ok(())
    })
    .await
}

/// Its configuration and its users.
async fn state(cache: &Live<Redis>) -> Result<[String; 2], Error> {
    let users = cache.cli(["acl", "list"]).await?;
    // Said of users from 6.2 on who have ever been changed, and true of all.
    let users = users.replace(" sanitize-payload", "");
    Ok([cache.cli(["config", "get", "*"]).await?, users])
}

#[tokio::test]
async fn service_redis_clean_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let mut cache = redis(&engine).await?;
    cache.password = Some(PASSWORD.to_owned());
    let cache = cache.start().await?;
    let first = state(&cache).await?;
    for _ in 0..2 {
        cache.cli(["set", "b", "two\nlines"]).await?;
        cache.cli(["rpush", "a", "1", "2"]).await?;
        cache.cli(["copy", "a", "c", "db", "7"]).await?;
        assert_eq!(cache.keys(0).await?, ["a", "b"]);
        assert_eq!(cache.keys(7).await?, ["c"]);
        assert_eq!(cache.cli(["get", "b"]).await?, "two\nlines");
        assert_eq!(cache.cli(["lrange", "a", "0", "-1"]).await?, "1\n2");
        let script = cache.cli(["script", "load", "return 'cake'"]).await?;
        assert_eq!(cache.cli(["evalsha", &script, "0"]).await?, "cake");
        let library = "#!lua name=bakery\nredis.register_function('bake', function() return 1 end)";
        cache.cli(["function", "load", library]).await?;
        cache.cli(["config", "set", "maxmemory", "100mb"]).await?;
        cache.cli(["config", "set", "notify-keyspace-events", "KEA"]).await?;
        cache.cli(["acl", "setuser", "eve", "on", ">secret", "~*", "+@all"]).await?;
        cache.cli(["acl", "setuser", "default", "-debug"]).await?;
        cache.clean().await?;
        assert!(cache.keys(0).await?.is_empty());
        assert!(cache.keys(7).await?.is_empty());
        assert_eq!(cache.cli(["script", "exists", &script]).await?, "0");
        assert_eq!(cache.cli(["function", "list"]).await?, "");
        assert_eq!(state(&cache).await?, first);
    }
    cache.cli(["set", "a", "1"]).await?;
    cache.flush().await?;
    assert!(cache.keys(0).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn service_redis_urls_lead_there() -> TestResult {
    let engine = require_docker!();
    for password in [None, Some("p@ss/word %41:?#\u{fc}".to_owned())] {
        let mut cache = redis(&engine).await?;
        cache.password = password;
        let cache = cache.start().await?;
        for host in ["127.0.0.1", "localhost:6379"] {
            let url = cache.definition().url_at(host);
            let asked = cache.exec(["redis-cli", "--no-auth-warning", "-u", &url, "ping"]).await?;
            assert_eq!(asked.success()?.stdout_text(), "PONG\n");
        }
        let published = cache.url().await?;
        assert!(published.ends_with(&format!("{}/", cache.mapped_port(6379).await?)));
    }
    Ok(())
}

#[tokio::test]
async fn service_redis_passwords_are_in_no_error_and_no_debug() -> TestResult {
    let engine = require_docker!();
    let mut cache = redis(&engine).await?;
    cache.password = Some(PASSWORD.to_owned());
    let cache = cache.start().await?;
    let error = cache.cli(["nonsense"]).await.unwrap_err();
    assert_eq!(error.to_string(), "ask the server in `redis`");
    let message = shown(&error);
    assert!(message.contains("ERR unknown command 'nonsense'"), "{message}");
    let all = format!("{message}{cache:?}{:?}", cache.definition());
    assert!(!all.contains("p@ss"), "{all}");
    let broken = redis(&engine).await?.with_container(|container, _| {
        Ok(container.cmd(["redis-server", "--requirepass", "another", "--protected-mode", "no"]))
    });
    let mut broken = broken;
    broken.password = Some(PASSWORD.to_owned());
    let message = shown(&broken.start().await.unwrap_err());
    assert!(message.contains("Redis refuses the password"), "{message}");
    assert!(!message.contains("p@ss"), "{message}");
    Ok(())
}

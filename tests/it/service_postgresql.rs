//! PostgreSQL as a service, on Debian's, which takes the variables of the official image.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use plimsoll_harness::service::{Data, PostgreSql};
use plimsoll_harness::{
    Condition, ContainerDefinition, Define, DefineError, Engine, ExecWait, Links, Live, LogWait,
    Mount, Ref, Stack, VolumeDefinition, require_docker,
};
use plimsoll_tests::image::POSTGRESQL;

use crate::service::{PASSWORD, ready_each_time, shown};
use crate::{Error, TestResult};

async fn postgresql(engine: &Engine) -> Result<PostgreSql, Error> {
    Ok(PostgreSql::new(POSTGRESQL.ensure(engine).await?))
}

/// What the server asks of a client that begins: `R` for its password, `E` that it goes away.
fn first_answer(address: SocketAddr) -> Result<u8, Error> {
    let mut stream = TcpStream::connect(address)?;
    let parameters = b"\0\x03\0\0user\0user\0database\0database\0\0";
    let length = u32::try_from(parameters.len() + 4)?.to_be_bytes();
    stream.write_all(&[&length[..], parameters].concat())?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    Ok(kind[0])
}

#[tokio::test]
async fn service_postgresql_answers_the_first_query_fifty_times() -> TestResult {
    let engine = require_docker!();
    let plain = postgresql(&engine).await?;
    // As official images do first, some run a script with a server that comes and goes.
    let script = "create table flour (grams int); insert into flour values (500)";
    let scripted = plain.clone().with_container(move |container, _| {
        Ok(container.file("/docker-entrypoint-initdb.d/1.sql", script, 0o644))
    });
    let cases = [(30, plain, "select 1", "1"), (20, scripted, "select grams from flour", "500")];
    for (times, definition, query, answer) in cases {
        ready_each_time(times, &definition, async |db| {
            assert_eq!(first_answer(db.mapped_port(5432).await?)?, b'R');
            assert_eq!(db.psql(query).await?, answer);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn service_postgresql_clean_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let mut definition = postgresql(&engine).await?;
    definition.database = "my \"first\" d%ta".to_owned();
    let db = definition.start().await?;
    let (databases, users) = (db.databases().await?, db.users().await?);
    assert_eq!(databases, ["my \"first\" d%ta", "postgres", "template1"]);
    assert_eq!(users, ["user"]);
    assert!(db.tables().await?.is_empty());
    // Without having kept anything: it was empty.
    let kept = "select count(*) from pg_database where datname like 'plimsoll-%'";
    assert_eq!(db.psql(kept).await?, "0");
    for _ in 0..2 {
        leave_a_mess(&db).await?;
        db.clean().await?;
        assert_eq!(db.databases().await?, databases);
        assert_eq!(db.users().await?, users);
        assert!(db.tables().await?.is_empty());
        let extensions = db.psql("select extname from pg_extension").await?;
        assert_eq!(extensions, "plpgsql");
        let crumbs = ["psql", "-XqtAU", "user", "postgres", "-c", "select 'crumbs'::regclass"];
        assert_eq!(db.exec(crumbs).await?.code, 1);
        let others = "select count(*) from pg_stat_activity
                      where backend_type = 'client backend' and pid <> pg_backend_pid()";
        assert_eq!(db.psql(others).await?, "0");
    }
    Ok(())
}

async fn leave_a_mess(db: &Live<PostgreSql>) -> TestResult {
    let database = &db.definition().database;
    db.psql(
        "create table cakes (name text);
         create schema bakery; create table bakery.ovens (degrees int);
         create extension hstore;
         create role \"the baker\" login password 'x'; grant all on cakes to \"the baker\";
         create database \"other one\" owner \"the baker\";
         create database template is_template true;
         grant connect on database template1 to \"the baker\"",
    )
    .await?;
    assert_eq!(db.tables().await?, ["bakery.ovens", "cakes"]);
    assert_eq!(db.users().await?, ["the baker", "user"]);
    let elsewhere = ["psql", "-XqU", "user", "postgres", "-c", "create table crumbs ()"];
    db.exec(elsewhere).await?.success()?;
    // A client that stays, in the database that is to be dropped.
    let busy = "create temp table busy (); select pg_sleep(600)";
    tokio::spawn(db.exec(["psql", "-U", "user", "-d", database, "-c", busy]).into_future());
    let working = "select count(*) from pg_stat_activity where query like '%pg_sleep(600)' \
                   and pid <> pg_backend_pid()";
    db.wait(
        ExecWait::new(["psql", "-XqtA", "-U", "user", "-d", "postgres", "-c", working])
            .until("the client works", |output| output.stdout_text() == "1\n"),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn service_postgresql_goes_back_to_what_scripts_made_and_to_what_was_saved() -> TestResult {
    let engine = require_docker!();
    let db = postgresql(&engine)
        .await?
        .with_container(|container, _| {
            let script = "create role clerk; create table till (cents int);
                          alter table till owner to clerk; insert into till values (100)";
            Ok(container.file("/docker-entrypoint-initdb.d/1.sql", script, 0o644))
        })
        .start()
        .await?;
    let cents = "select sum(cents) from till";
    db.psql("insert into till values (23)").await?;
    assert_eq!(db.psql(cents).await?, "123");
    db.clean().await?;
    assert_eq!(db.psql(cents).await?, "100");
    db.psql("insert into till values (1); create role cashier; create database branch").await?;
    // Somebody is connected, and goes on asking: that is closed, not waited for.
    let asking = "yes 'select 1;' | psql -U user database >/dev/null 2>&1";
    tokio::spawn(db.exec(["sh", "-c", asking]).into_future());
    db.save().await?;
    db.psql("drop table till; drop database branch; create role thief").await?;
    db.clean().await?;
    assert_eq!(db.psql(cents).await?, "101");
    assert_eq!(db.users().await?, ["cashier", "clerk", "user"]);
    assert_eq!(db.databases().await?, ["branch", "database", "postgres", "template1"]);
    Ok(())
}

#[tokio::test]
async fn service_postgresql_urls_lead_there() -> TestResult {
    let engine = require_docker!();
    let mut definition = postgresql(&engine).await?;
    definition.user = "maria:k/\u{fc}".to_owned();
    definition.password = PASSWORD.to_owned();
    definition.database = "my d%ta & more".to_owned();
    // Where the engine has no IPv6, containers do not even have it among themselves.
    let definition = definition.with_container(|container, _| {
        Ok(container.patch(|request| {
            let host = request.host_config.get_or_insert_default();
            host.sysctls = Some([("net.ipv6.conf.all.disable_ipv6".into(), "0".into())].into());
        }))
    });
    let db = definition.start().await?;
    let network = db.inspect().await?.network_settings.and_then(|it| it.networks);
    let address = network.into_iter().flatten().find_map(|(_, it)| it.ip_address);
    let address = address.ok_or("no address")?;
    for host in [address.clone(), format!("{address}:5432"), "::1".to_owned()] {
        let url = definition.url_at(&host);
        let who = "select current_user, current_database()";
        let asked = db.exec(["psql", "-XqtA", "-c", who, &url]).await?.success();
        let asked = asked.map_err(|error| format!("{host}: {error}"))?;
        assert_eq!(asked.stdout_text(), "maria:k/\u{fc}|my d%ta & more\n");
    }
    let published = db.url().await?;
    assert!(published.contains(&format!("@{}/", db.mapped_port(5432).await?)), "{published}");
    Ok(())
}

/// A container that finds the server in its stack.
#[derive(Clone, Debug)]
struct Client {
    image: String,
}

impl Define for Client {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let url = links.node(&Bakery::DB)?.url_at(links.host(&Bakery::DB)?);
        Ok(ContainerDefinition::new(links.name(), self.image.clone())
            .entrypoint(["psql"])
            .cmd(["-XqtAc", "select 'baked'", &url])
            .ready(Condition::Exit(0)))
    }
}

#[derive(Stack, Clone, Debug)]
struct Bakery {
    db: PostgreSql,
    client: Client,
}

#[tokio::test]
async fn service_postgresql_is_a_node_of_a_stack() -> TestResult {
    let engine = require_docker!();
    let db = postgresql(&engine).await?;
    let client = Client { image: POSTGRESQL.reference() };
    let bakery = Bakery { db, client }.start().await?;
    assert_eq!(bakery.client.logs().stdout(), "baked\n");
    bakery.db.psql("create table cakes ()").await?;
    bakery.db.clean().await?;
    assert!(bakery.db.tables().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn service_postgresql_passwords_are_in_no_error_and_no_debug() -> TestResult {
    let engine = require_docker!();
    let mut definition = postgresql(&engine).await?;
    definition.password = PASSWORD.to_owned();
    definition.data = Data::Image;
    // A volume that has been initialised with another password.
    let volume = VolumeDefinition::default().create("data").await?;
    let data = Mount::volume(&volume, "/var/lib/postgresql/data");
    let on_volume =
        definition.clone().with_container(move |container, _| Ok(container.mount(data.clone())));
    let first = on_volume.start().await?;
    let mut debug = format!("{definition:?}{first:?}");
    let error = first.psql("select nonsense").await.unwrap_err();
    assert!(error.to_string().contains("in `postgresql`"), "{error}");
    debug += &shown(&error);
    drop(first);

    let mut other = on_volume.clone();
    other.password = format!("{PASSWORD}, another");
    let begun = Instant::now();
    let error = other.start().await.unwrap_err();
    // It cannot heal, and so it is not waited for.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    let message = shown(&error);
    assert!(message.contains("keeps user `user` from database `database`"), "{message}");
    assert!(message.contains("password authentication failed for user \"user\""), "{message}");
    debug += &message;

    other.database = "elsewhere".to_owned();
    other.password = PASSWORD.to_owned();
    let message = shown(&other.start().await.unwrap_err());
    assert!(message.contains("database \"elsewhere\" does not exist"), "{message}");
    debug += &message;
    debug +=
        &format!("{:?}", Bakery { db: other, client: Client { image: String::new() } }.plan()?);
    assert!(!debug.contains("p@ss"), "{debug}");
    Ok(())
}

#[tokio::test]
async fn service_postgresql_wants_a_password_before_docker_is_asked() -> TestResult {
    let mut definition = PostgreSql::new("no.registry.test/image-that-is-nowhere:1");
    definition.password.clear();
    let error = definition.start().await.unwrap_err();
    let message = shown(&error);
    assert!(message.starts_with("define `postgresql`\n"), "{message}");
    assert!(message.contains("user `user` has no password"), "{message}");
    Ok(())
}

#[tokio::test]
async fn service_postgresql_says_what_volume_is_missing() -> TestResult {
    let engine = require_docker!();
    let mount = |at: &'static str| Mount::bind("/nowhere/at/all", at);
    let definition = postgresql(&engine).await?;
    let missing = definition
        .clone()
        .with_container(move |container, _| Ok(container.mount(mount("/var/lib/postgresql/data"))));
    let message = shown(&missing.start().await.unwrap_err());
    assert!(message.contains("/nowhere/at/all"), "{message}");
    let data = Ref::<VolumeDefinition>::new("data");
    let missing = definition.with_container(move |container, links| {
        Ok(container.mount(links.volume(&data)?.at("/var/lib/postgresql/data")))
    });
    let message = shown(&missing.start().await.unwrap_err());
    let expected = "define `postgresql`: it reads `data`, and it is started without a stack\n";
    assert!(message.starts_with(expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn service_postgresql_keeps_its_data_over_a_restart_if_told_so() -> TestResult {
    let engine = require_docker!();
    let mut definition = postgresql(&engine).await?;
    definition.data = Data::Image;
    let db = definition.start().await?;
    db.psql("create table cakes (); create extension hstore").await?;
    let mark = db.restart(Duration::from_secs(60)).await?;
    db.wait_since(mark, LogWait::stderr("ready to accept connections")).await?;
    assert_eq!(db.tables().await?, ["cakes"]);
    db.clean().await?;
    assert!(db.tables().await?.is_empty());
    Ok(())
}

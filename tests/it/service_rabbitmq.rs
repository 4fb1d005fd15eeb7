//! RabbitMQ as a service, on Debian's, which takes the variables of the official image.

use std::time::Duration;

use plimsoll_harness::service::RabbitMq;
use plimsoll_harness::{
    ContainerDefinition, Define, Engine, Mount, VolumeDefinition, require_docker,
};
use plimsoll_tests::image::{DJANGO, RABBITMQ};

use crate::service::{PASSWORD, ready_each_time, shown};
use crate::{Error, TestResult};

/// Boots take all that two cores have for seconds: `PLIMSOLL_TEST_STARTS=50` is for when there is
/// time.
const STARTS: usize = 8;

async fn rabbitmq(engine: &Engine) -> Result<RabbitMq, Error> {
    Ok(RabbitMq::new(RABBITMQ.ensure(engine).await?))
}

#[tokio::test]
async fn service_rabbitmq_answers_the_first_command_each_time() -> TestResult {
    let engine = require_docker!();
    let starts =
        std::env::var("PLIMSOLL_TEST_STARTS").map_or(Ok(STARTS), |starts| starts.parse())?;
    ready_each_time(starts, &rabbitmq(&engine).await?, async |broker| {
        broker.ctl(["add_vhost", "first"]).await.map_err(|error| shown(&error))?;
        assert_eq!(broker.vhosts().await?, ["/", "first"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn service_rabbitmq_clean_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let broker = rabbitmq(&engine).await?.start().await?;
    let permissions = broker.ctl(["list_permissions"]).await?.stdout;
    for _ in 0..2 {
        let declare = "rabbit_amqqueue:declare({resource, <<\"/\">>, queue, <<\"cakes\">>}, true, \
                       false, [], none, <<\"user\">>), ok.";
        broker.ctl(["eval", declare]).await.map_err(|error| shown(&error))?;
        assert_eq!(broker.queues().await?, ["cakes"]);
        broker.ctl(["add_vhost", "bakery"]).await?;
        broker.ctl(["add_user", "eve", "secret"]).await?;
        broker.ctl(["set_permissions", "eve", ".*", ".*", ".*"]).await?;
        broker.ctl(["set_policy", "short", ".*", r#"{"max-length":1}"#]).await?;
        broker.ctl(["change_password", "user", "another"]).await?;
        assert_eq!(broker.users().await?, ["eve", "user"]);
        broker.clean().await?;
        assert!(broker.queues().await?.is_empty());
        assert_eq!(broker.vhosts().await?, ["/"]);
        assert_eq!(broker.users().await?, ["user"]);
        assert_eq!(broker.ctl(["list_permissions"]).await?.stdout, permissions);
        let policies = broker.ctl(["list_policies", "--formatter", "json"]).await?;
        assert_eq!(policies.stdout_text().replace(['\n', ' '], ""), "[]");
        broker.ctl(["authenticate_user", "user", "password"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn service_rabbitmq_urls_are_read_as_what_they_were_made_of() -> TestResult {
    let engine = require_docker!();
    let mut broker = rabbitmq(&engine).await?;
    broker.user = "maria:k".to_owned();
    broker.password = PASSWORD.to_owned();
    broker.vhost = "/bakery & co%41".to_owned();
    // Python is of another opinion about many URLs, but not about these.
    let read = "import sys, urllib.parse as u; p = u.urlsplit(sys.argv[1]); \
                print(*map(u.unquote, [p.username, p.password, p.path[1:]]), p.hostname, p.port)";
    let image = DJANGO.ensure(&engine).await?;
    let python = ContainerDefinition::new("python", image)
        .entrypoint(["python3", "-c", read])
        .cmd([broker.url_at("::1"), String::new()])
        .start()
        .await?;
    assert_eq!(python.wait_exit(Duration::from_secs(60)).await?, 0);
    let expected = format!("maria:k {PASSWORD} /bakery & co%41 ::1 None\n");
    assert_eq!(python.logs().stdout(), expected);
    // The wait of a start logs in by these, over AMQP.
    let broker = broker.start().await?;
    assert_eq!(broker.vhosts().await?, ["/bakery & co%41"]);
    let published = broker.url().await?;
    assert!(published.contains(&format!("@{}/%2Fbakery", broker.mapped_port(5672).await?)));
    let debug = format!("{broker:?}{:?}", broker.definition());
    assert!(!debug.contains("p@ss"), "{debug}");
    Ok(())
}

#[tokio::test]
async fn service_rabbitmq_says_whom_it_keeps_out_and_not_by_which_password() -> TestResult {
    let engine = require_docker!();
    let volume = VolumeDefinition::default().create("data").await?;
    let data = Mount::volume(&volume, "/var/lib/rabbitmq");
    let mut broker = rabbitmq(&engine).await?.with_container(move |mut container, _| {
        // The data are in a directory of the host's name.
        container.hostname = Some("broker".to_owned());
        Ok(container.mount(data.clone()))
    });
    drop(broker.start().await?);
    broker.password = PASSWORD.to_owned();
    let message = shown(&broker.start().await.unwrap_err());
    assert!(message.contains("keeps user `user` from virtual host `/`"), "{message}");
    assert!(message.contains("ACCESS_REFUSED"), "{message}");
    assert!(!message.contains("p@ss"), "{message}");
    broker.password.clear();
    let message = shown(&broker.start().await.unwrap_err());
    assert!(message.contains("the password of RabbitMQ is empty"), "{message}");
    Ok(())
}

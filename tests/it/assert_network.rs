//! Which ports are open and who reaches whom.

use plimsoll_harness::assert::network::{Name, Way, leads_to, reach, resolve};
use plimsoll_harness::assert::ports::{self, Ports, listens_on};
use plimsoll_harness::assert::{Difference, Expectation, Observed, eventually};
use plimsoll_harness::{Network, require_docker};

use crate::TestResult;
use crate::assert_services::{NEVER, bakery, get, nginx, postgresql, shell};

#[tokio::test]
async fn open_ports_of_a_service_are_those_it_is_for() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.start().await?;
    ports::of(&nginx).await?.assert(&listens_on([80]).nothing_else())?;
    Ok(())
}

/// The classic: published, and listening where nobody comes.
#[tokio::test]
async fn a_port_on_loopback_is_open_to_nobody() -> TestResult {
    struct Inward;
    impl Expectation<Ports> for Inward {
        fn differences(&self, found: &Ports) -> Vec<Difference> {
            let inward = found.listening == ["127.0.0.1:8000".parse().expect("an address")];
            let mismatch = || found.assert(&listens_on([8000])).unwrap_err().differences;
            if inward { Vec::new() } else { mismatch() }
        }
    }
    let engine = require_docker!();
    let inward = "exec /busybox httpd -f -p 127.0.0.1:8000";
    let container = shell(&engine, "inward", inward).await?.start().await?;
    let found = eventually(NEVER, &Inward, || ports::of(&container)).await?;
    found.assert(&listens_on([]).nothing_else())?;
    let message = found.assert(&listens_on([8000])).unwrap_err().to_string();
    assert!(message.ends_with("127.0.0.1:8000, which only the container itself reaches"));
    let outward = "exec /busybox httpd -f -p 8000";
    let container = shell(&engine, "outward", outward).await?.start().await?;
    eventually(NEVER, &listens_on([8000]).nothing_else(), || ports::of(&container)).await?;
    Ok(())
}

#[tokio::test]
async fn an_application_reaches_its_database_by_name() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("bakery").await?;
    let database = postgresql(&engine).await?.network(&network, ["db"]).start().await?;
    let bakery = bakery(&engine)
        .await?
        .env("DATABASE_URL", "postgresql://bakery:sugar@db/bakery")
        .network(&network, ["web"])
        .start()
        .await?;
    let address = bakery.mapped_port(8000).await?;
    assert!(get(address, "/cakes/")?.ends_with("{\"cakes\": []}"));
    let tables = ["psql", "-U", "bakery", "-qtAc", "SELECT count(*) FROM bakery_cake"];
    assert_eq!(database.exec(tables).await?.stdout_text(), "0\n");
    reach(&bakery, "db", 5432).await?.assert(&Way::Open)?;
    reach(&database, "web", 8000).await?.assert(&Way::Open)?;
    reach(&bakery, "db", 6379).await?.assert(&Way::Closed)?;
    let refused = reach(&bakery, "db", 6379).await?.assert(&Way::Open).unwrap_err().to_string();
    assert!(refused.contains("Connection refused"), "{refused}");
    assert!(refused.contains("though its name leads to an address"), "{refused}");
    resolve(&bakery, "db").await?.assert(&leads_to(&database).await?)?;
    resolve(&database, "web").await?.assert(&leads_to(&bakery).await?)?;
    resolve(&bakery, "redis").await?.assert(&Name::Unknown)?;
    let wrong = resolve(&bakery, "web").await?.assert(&leads_to(&database).await?).unwrap_err();
    let wrong = wrong.to_string();
    assert!(wrong.starts_with("match where `web` leads from `bakery`\n  address: "), "{wrong}");
    assert!(wrong.contains("expected that of `postgresql`, "), "{wrong}");
    let unknown = reach(&bakery, "redis", 6379).await?.assert(&Way::Open).unwrap_err().to_string();
    assert!(unknown.contains("its name leads to no address"), "{unknown}");
    Ok(())
}

/// BusyBox is all there is in this image.
#[tokio::test]
async fn edge_distroless_image_finds_others_by_name() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("bare").await?;
    let idle = "exec /busybox httpd -f -p 80";
    let one = shell(&engine, "one", idle).await?.network(&network, [""; 0]).start().await?;
    let other = shell(&engine, "other", idle).await?.network(&network, ["second"]).start().await?;
    resolve(&one, "second").await?.assert(&leads_to(&other).await?)?;
    resolve(&one, "third").await?.assert(&Name::Unknown)?;
    eventually(NEVER, &Way::Open, || reach(&one, "second", 80)).await?;
    Ok(())
}

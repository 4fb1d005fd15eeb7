//! Planning, which needs no Docker.

use crate::definition::{ContainerDefinition, NetworkTarget};
use crate::network::NetworkDefinition;
use crate::stack::{Define, DefineError, Links, PlannedKind, Ref, StackBuilder};
use crate::volume::VolumeDefinition;

/// A container that reads the nodes it names, whatever they are.
#[derive(Clone, Debug, Default)]
struct Reads {
    containers: Vec<&'static str>,
    volumes: Vec<&'static str>,
    networks: Vec<&'static str>,
}

impl Define for Reads {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let mut definition = ContainerDefinition::new("ignored", "test:1");
        for name in &self.containers {
            let host = links.host(&Ref::<Reads>::new(name))?;
            definition = definition.env(host.to_uppercase(), host);
        }
        for name in &self.volumes {
            let volume = links.volume(&Ref::new(name))?;
            definition = definition.mount(volume.read_only().at(format!("/{name}")));
        }
        for name in &self.networks {
            links.network(&Ref::new(name))?;
        }
        Ok(definition)
    }
}

fn reads(containers: &[&'static str]) -> Reads {
    Reads { containers: containers.to_vec(), ..Reads::default() }
}

fn stack(nodes: &[(&'static str, &[&'static str])]) -> StackBuilder {
    let mut stack = StackBuilder::new();
    for (name, containers) in nodes {
        stack.node(*name, reads(containers));
    }
    stack
}

fn message(stack: &StackBuilder) -> String {
    stack.plan().unwrap_err().to_string()
}

#[test]
fn edge_cycles_are_reported_as_their_path() {
    let cycle = stack(&[("db", &[]), ("web", &["db", "worker"]), ("worker", &["web"])]);
    assert_eq!(message(&cycle), "plan the stack: web → worker → web is a cycle");
    assert_eq!(message(&stack(&[("db", &["db"])])), "plan the stack: db → db is a cycle");
}

#[test]
fn a_plan_is_text_and_a_picture() {
    let mut stack = stack(&[("cache", &[]), ("web", &["cache", "db"])]);
    stack.node("files", VolumeDefinition::default());
    stack.node("back", NetworkDefinition::default());
    let db = Reads { volumes: vec!["files"], networks: vec!["back"], ..reads(&[]) };
    stack.node("db", db);
    let plan = stack.plan().unwrap();
    let text = "1. back: network\n1. cache: test:1\n1. files: volume\n\
                2. db: test:1 (after back, files)\n3. web: test:1 (after cache, db)\n";
    assert_eq!(plan.to_string(), text);
    let picture = "flowchart LR\n    \
        back([\"back<br/>network\"])\n    \
        cache[\"cache<br/>test:1\"]\n    \
        files[(\"files<br/>volume\")]\n    \
        db[\"db<br/>test:1\"]\n    \
        web[\"web<br/>test:1\"]\n    \
        db --> back\n    \
        db --> files\n    \
        web --> cache\n    \
        web --> db\n";
    assert_eq!(plan.mermaid(), picture);
}

#[test]
fn a_node_has_its_name_and_the_networks_it_read() {
    let mut stack = StackBuilder::new();
    stack.node("back", NetworkDefinition::default());
    stack.node("db", Reads { networks: vec!["back"], ..reads(&[]) });
    let plan = stack.plan().unwrap();
    let PlannedKind::Container(db) = &plan.nodes[1].kind else { panic!("{plan}") };
    assert_eq!((db.name.as_str(), db.networks.len()), ("db", 1));
    assert_eq!(db.networks[0].network, NetworkTarget::Node("back".to_owned()));
}

#[test]
fn only_two_who_can_talk_get_a_network() {
    assert!(!stack(&[("db", &[])]).plan().unwrap().has_own_network());
    assert!(stack(&[("db", &[]), ("web", &["db"])]).plan().unwrap().has_own_network());
    let mut separate = stack(&[("db", &[])]);
    separate.node("back", NetworkDefinition::default());
    separate.node("web", Reads { networks: vec!["back"], ..reads(&[]) });
    assert!(!separate.plan().unwrap().has_own_network());
}

#[test]
fn what_is_read_has_to_be_there_and_of_its_type() {
    let unknown = stack(&[("web", &["dbb"]), ("db", &[])]);
    assert_eq!(
        message(&unknown),
        "define `web`: it reads `dbb`, and the stack has only `web`, `db`"
    );
    let mut wrong = stack(&[("web", &["files"])]);
    wrong.node("files", VolumeDefinition::default());
    let wrong = message(&wrong);
    assert!(wrong.starts_with("define `web`: it reads `files` as "), "{wrong}");
    assert!(wrong.ends_with("::VolumeDefinition"), "{wrong}");
}

#[test]
fn names_are_hosts_and_unique() {
    let duplicate = stack(&[("db", &[]), ("db", &[])]);
    assert_eq!(message(&duplicate), "plan the stack: two nodes are called `db`");
    let long = "x".repeat(64);
    for bad in ["", "a_b", "Web", "-a", "a-", "a.b", "ü", &long] {
        let mut stack = StackBuilder::new();
        stack.node(bad, reads(&[]));
        let message = message(&stack);
        assert!(message.contains(&format!("`{bad}` cannot be the name of a host")), "{message}");
    }
    assert!(stack(&[("0", &[]), ("a-1", &[])]).plan().is_ok());
}

#[test]
fn a_reason_of_ones_own_names_its_node() {
    #[derive(Clone, Debug)]
    struct Refuses;
    impl Define for Refuses {
        fn define(&self, _: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
            Err(DefineError::other("no licence"))
        }
    }
    let mut stack = StackBuilder::new();
    stack.node("db", Refuses);
    let error = stack.plan().unwrap_err();
    assert_eq!(error.to_string(), "define `db`");
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("no licence"));
}

//! A definition in the words of the engine's API.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use testcontainers::bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig,
    PortBinding, PortMap, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use crate::definition::{
    ContainerDefinition, Healthcheck, Limits, Mount, NetworkAttachment, NetworkTarget,
    PublishedPort, Ulimit,
};

/// The body of the request that creates the container, on the first of its networks: engines
/// before 25 take no more than one here.
pub(crate) fn create_body(
    definition: &ContainerDefinition,
    image: &str,
    labels: HashMap<String, String>,
    publish_on: IpAddr,
) -> ContainerCreateBody {
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let attachment = definition.networks.first().filter(|_| definition.network_mode.is_none());
    let own_labels = definition.labels.iter().cloned();
    let mut body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: words(&definition.entrypoint),
        cmd: words(&definition.cmd),
        env: Some(environment(&definition.env)),
        // Those that say whose it is win: a container that hides from its removal is no option.
        labels: Some(own_labels.chain(labels).collect()),
        exposed_ports: Some(definition.ports.iter().map(PublishedPort::to_string).collect()),
        hostname: definition.hostname.clone(),
        user: definition.user.clone(),
        working_dir: definition.working_dir.clone(),
        stop_signal: definition.stop_signal.clone(),
        tty: Some(definition.tty),
        open_stdin: Some(definition.open_stdin),
        healthcheck: definition.healthcheck.as_ref().map(Healthcheck::api),
        host_config: Some(host_config(definition, attachment, publish_on)),
        networking_config: attachment.map(|attachment| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                target(attachment).to_owned(),
                endpoint(&definition.name, attachment),
            )])),
        }),
        ..ContainerCreateBody::default()
    };
    for patch in &definition.patches {
        patch.apply(&mut body);
    }
    body
}

/// How the container is found on a network.
pub(crate) fn endpoint(name: &str, attachment: &NetworkAttachment) -> EndpointSettings {
    let mut aliases = vec![name.to_owned()];
    aliases.extend(attachment.aliases.iter().filter(|alias| *alias != name).cloned());
    EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() }
}

/// What the engine is to find the network by.
pub(crate) fn target(attachment: &NetworkAttachment) -> &str {
    match &attachment.network {
        NetworkTarget::Id(id) | NetworkTarget::Node(id) => id,
    }
}

fn host_config(
    definition: &ContainerDefinition,
    attachment: Option<&NetworkAttachment>,
    publish_on: IpAddr,
) -> HostConfig {
    let some = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let Limits { memory_bytes, processes, shm_bytes, ulimits } = &definition.limits;
    let bytes = |bytes: &Option<u64>| bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let mode = definition.network_mode.clone();
    let tmpfs = definition
        .mounts
        .iter()
        .filter_map(|mount| mount.tmpfs_options().map(|options| (mount.target.clone(), options)));
    HostConfig {
        port_bindings: Some(port_bindings(&definition.ports, publish_on)),
        network_mode: mode.or_else(|| attachment.map(|attachment| target(attachment).to_owned())),
        extra_hosts: Some(
            definition.hosts.iter().map(|(name, to)| format!("{name}:{to}")).collect(),
        ),
        mounts: Some(definition.mounts.iter().filter_map(Mount::api).collect()),
        tmpfs: Some(tmpfs.collect()),
        memory: bytes(memory_bytes),
        // The same number for both: swap would make running out of memory slow and uncertain.
        memory_swap: bytes(memory_bytes),
        pids_limit: processes.map(i64::from),
        shm_size: bytes(shm_bytes),
        ulimits: Some(ulimits.iter().map(ulimit).collect()),
        privileged: Some(definition.privileged),
        cap_add: some(&definition.cap_add),
        cap_drop: some(&definition.cap_drop),
        readonly_rootfs: Some(definition.read_only_root),
        init: definition.init.then_some(true),
        log_config: definition.log_driver.clone().map(|driver| HostConfigLogConfig {
            typ: Some(driver),
            ..HostConfigLogConfig::default()
        }),
        // A crash loop would look like a running container.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}

/// The last of each name: engines keep both, and libc finds the first.
fn environment(env: &[(String, String)]) -> Vec<String> {
    let last: BTreeMap<_, _> = env.iter().map(|(name, value)| (name, value)).collect();
    last.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn port_bindings(ports: &[PublishedPort], publish_on: IpAddr) -> PortMap {
    let mut bindings = PortMap::new();
    for port in ports {
        let bound = bindings.entry(port.to_string()).or_default().get_or_insert_default();
        bound.push(PortBinding {
            host_ip: Some(publish_on.to_string()),
            // An empty port lets the engine choose; choosing here would race with everyone else.
            host_port: Some(port.host_port.map(|port| port.to_string()).unwrap_or_default()),
        });
    }
    bindings
}

fn ulimit(ulimit: &Ulimit) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(ulimit.name.clone()),
        soft: Some(ulimit.soft),
        hard: Some(ulimit.hard),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn body(definition: &ContainerDefinition) -> ContainerCreateBody {
        let labels = HashMap::from([("whose".to_owned(), "ours".to_owned())]);
        create_body(definition, "web:1", labels, Ipv4Addr::LOCALHOST.into())
    }

    fn web() -> ContainerDefinition {
        ContainerDefinition::new("web", "web:1")
    }

    #[test]
    fn defect_10_a_port_does_not_unpublish_another() {
        let ports = web()
            .publish(80)
            .publish(PublishedPort::udp(53))
            .publish(PublishedPort::tcp(443).at_host_port(8443));
        let body = body(&ports);
        assert_eq!(body.exposed_ports.unwrap(), ["80/tcp", "53/udp", "443/tcp"]);
        let bindings = body.host_config.unwrap().port_bindings.unwrap();
        let binding = |port: &str| {
            let bound = bindings[port].as_ref().unwrap();
            assert_eq!((bound.len(), bound[0].host_ip.as_deref()), (1, Some("127.0.0.1")));
            bound[0].host_port.clone().unwrap()
        };
        assert_eq!((binding("80/tcp"), binding("53/udp")), (String::new(), String::new()));
        assert_eq!(binding("443/tcp"), "8443");
    }

    #[test]
    fn what_is_not_said_is_left_to_the_image() {
        let body = body(&web());
        assert_eq!((body.cmd, body.entrypoint, body.networking_config), (None, None, None));
        assert_eq!((body.user, body.hostname, body.healthcheck), (None, None, None));
    }

    #[test]
    fn edge_restart_policy_is_overridden() {
        let policy = body(&web()).host_config.unwrap().restart_policy.unwrap();
        assert_eq!(policy.name, Some(RestartPolicyNameEnum::NO));
    }

    #[test]
    fn the_last_of_two_variables_counts() {
        let mut definition = web().env("A", "1").env("B", "2").env("A", "3");
        assert_eq!(body(&definition).env.unwrap(), ["A=3", "B=2"]);
        definition.env.push(("B".to_owned(), String::new()));
        definition.env.push(("b".to_owned(), "lower".to_owned()));
        assert_eq!(body(&definition).env.unwrap(), ["A=3", "B=", "b=lower"]);
    }

    #[test]
    fn the_name_is_an_alias_once() {
        let id = NetworkTarget::Id("n1".to_owned());
        let attachment = NetworkAttachment { network: id, aliases: Vec::new() };
        let definition = web().attach(attachment.alias("web").alias("primary"));
        let body = body(&definition);
        assert_eq!(body.host_config.unwrap().network_mode.as_deref(), Some("n1"));
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        assert_eq!(endpoints["n1"].aliases.as_deref().unwrap(), ["web", "primary"]);
    }

    #[test]
    fn edge_resources_are_capped_without_swap_unless_told_otherwise() {
        let capped = body(&web()).host_config.unwrap();
        assert_eq!((capped.memory, capped.memory_swap), (Some(4 << 30), Some(4 << 30)));
        assert_eq!(capped.pids_limit, Some(4096));
        let free = body(&web().limits(Limits::none())).host_config.unwrap();
        assert_eq!((free.memory, free.memory_swap, free.pids_limit), (None, None, None));
    }

    #[test]
    fn mounts_are_of_three_kinds() {
        let definition = web()
            .mount(Mount::bind("/old", "/etc/app"))
            .mount(Mount::bind("/host", "/etc/app").read_only())
            .mount(Mount::tmpfs("/data").option("uid=70").read_only());
        let host = body(&definition).host_config.unwrap();
        let mounts = host.mounts.unwrap();
        assert_eq!((mounts.len(), mounts[0].source.as_deref()), (1, Some("/host")));
        assert_eq!(mounts[0].read_only, Some(true));
        assert_eq!(host.tmpfs.unwrap()["/data"], "ro,uid=70");
    }

    #[test]
    fn a_patch_comes_last_and_labels_of_ours_stay() {
        let definition = web()
            .label("whose", "mine")
            .label("team", "blue")
            .patch(|body| body.domainname = Some("test".to_owned()));
        let body = body(&definition);
        assert_eq!(body.domainname.as_deref(), Some("test"));
        let labels = body.labels.unwrap();
        assert_eq!((labels["whose"].as_str(), labels["team"].as_str()), ("ours", "blue"));
    }
}

//! A definition in the words of the engine's API.

use std::collections::HashMap;

use testcontainers::bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkingConfig, PortBinding,
    RestartPolicy, RestartPolicyNameEnum,
};

use crate::definition::ContainerDefinition;

/// The body of the request that creates the container.
pub(crate) fn create_body(
    definition: &ContainerDefinition,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let ports = || definition.ports.iter().map(|port| format!("{port}/tcp"));
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    ContainerCreateBody {
        image: Some(definition.image.clone()),
        entrypoint: words(&definition.entrypoint),
        cmd: words(&definition.cmd),
        env: Some(definition.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(labels),
        exposed_ports: Some(ports().collect()),
        host_config: Some(HostConfig {
            port_bindings: Some(
                ports().map(|port| (port, Some(vec![free_local_port()]))).collect(),
            ),
            network_mode: definition.network.as_ref().map(|network| network.network_id.clone()),
            // A crash loop would look like a running container.
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        }),
        networking_config: networking(definition),
        ..ContainerCreateBody::default()
    }
}

/// An empty port lets the engine choose; choosing here would race with everyone else.
fn free_local_port() -> PortBinding {
    PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) }
}

fn networking(definition: &ContainerDefinition) -> Option<NetworkingConfig> {
    let network = definition.network.as_ref()?;
    let mut aliases = vec![definition.name.clone()];
    aliases.extend(network.aliases.iter().filter(|alias| **alias != definition.name).cloned());
    let endpoint = EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() };
    let endpoints = HashMap::from([(network.network_id.clone(), endpoint)]);
    Some(NetworkingConfig { endpoints_config: Some(endpoints) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::NetworkAttachment;

    #[test]
    fn ports_are_published_on_loopback_and_chosen_by_the_engine() {
        let body =
            create_body(&ContainerDefinition::new("web", "web:1").publish(80), HashMap::new());
        assert_eq!(body.exposed_ports.unwrap(), ["80/tcp"]);
        let bindings = body.host_config.unwrap().port_bindings.unwrap();
        assert_eq!(bindings["80/tcp"], Some(vec![free_local_port()]));
    }

    #[test]
    fn what_is_not_said_is_left_to_the_image() {
        let body = create_body(&ContainerDefinition::new("web", "web:1"), HashMap::new());
        assert_eq!((body.cmd, body.entrypoint, body.networking_config), (None, None, None));
    }

    #[test]
    fn the_name_is_an_alias_once() {
        let mut definition = ContainerDefinition::new("db", "db:1");
        definition.network = Some(NetworkAttachment {
            network_id: "n1".to_owned(),
            aliases: vec!["db".to_owned(), "primary".to_owned()],
        });
        let body = create_body(&definition, HashMap::new());
        assert_eq!(body.host_config.unwrap().network_mode.as_deref(), Some("n1"));
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        assert_eq!(endpoints["n1"].aliases.as_deref().unwrap(), ["db", "primary"]);
    }
}

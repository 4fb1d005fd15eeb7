//! Whether one container finds and reaches another.
//!
//! Only from inside a container can that be seen, and the engine has no way to look from there,
//! so it takes a program in the image: `getent` or BusyBox for names; `bash`, `python3` or
//! BusyBox for connections. Images without any can be looked at from the other end only.

use std::fmt;
use std::net::IpAddr;

use super::engine::ObserveError;
use super::local::{As, command, spellings, tool};
use super::mismatch::{Difference, Expectation, Observed};
use crate::container::Container;

/// How long a connection may take, in seconds: on one machine, one that is not made by then is
/// not made at all.
const PATIENCE: &str = "5";

/// A look from one container at a port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What the definition of the container that looked calls it.
    pub node: String,
    /// The host, as that container calls it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the host's name leads to an address; nothing if it could not be found out.
    pub resolved: Option<bool>,
    /// What kept the connection from being made, if anything did.
    pub refusal: Option<String>,
}

/// Looks from a container whether it finds a host by its name and can connect to a TCP port of it.
///
/// # Errors
///
/// The container does not run, or none of the programs that could look is in its image.
pub async fn reach(container: &Container, host: &str, port: u16) -> Result<Reach, ObserveError> {
    let text = port.to_string();
    let bash = "exec 3<>\"/dev/tcp/$0/$1\"";
    let python = "import socket,sys; socket.create_connection((sys.argv[1],int(sys.argv[2])),\
                  int(sys.argv[3]))";
    let busy = |program| command([program, "nc", "-w", PATIENCE, host, &text]);
    let connect = [
        command(["python3", "-c", python, host, &text, PATIENCE]),
        busy("/busybox"),
        busy("busybox"),
        command(["timeout", PATIENCE, "bash", "-c", bash, host, &text]),
    ];
    let Some(connected) = tool(container, As::Container, connect).await? else {
        let what = describe(container.node(), host, port);
        return Err(no_program(what, "python3, BusyBox or bash with timeout"));
    };
    let refusal = (connected.code != 0).then(|| {
        let said = connected.stderr_text();
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        if last.is_empty() {
            format!("no connection, code {}", connected.code)
        } else {
            last.to_owned()
        }
    });
    let resolved = match refusal {
        None => Some(true),
        Some(_) => resolves(container, host).await?,
    };
    let (node, host) = (container.node().to_owned(), host.to_owned());
    Ok(Reach { node, host, port, resolved, refusal })
}

async fn resolves(container: &Container, host: &str) -> Result<Option<bool>, ObserveError> {
    Ok(look_up(container, host).await?.map(|addresses| !addresses.is_empty()))
}

/// The addresses a name leads to; nothing if no program in the image can tell.
async fn look_up(container: &Container, host: &str) -> Result<Option<Vec<IpAddr>>, ObserveError> {
    let getent = [command(["getent", "ahosts", host])];
    if let Some(output) = tool(container, As::Container, getent).await? {
        return Ok(Some(first_words(&output.stdout_text())));
    }
    let nslookup = spellings("nslookup", &[host]);
    let output = tool(container, As::Container, nslookup).await?;
    Ok(output.map(|output| answers(&output.stdout_text())))
}

/// What `getent` says: a line for each address and kind of socket, the address first.
fn first_words(text: &str) -> Vec<IpAddr> {
    let words = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    in_order(words)
}

/// What `nslookup` says: the server and its address first, then those it was asked for, which
/// may be numbered.
fn answers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().skip_while(|line| !line.starts_with("Name:"));
    in_order(lines.flat_map(str::split_whitespace).filter_map(|word| word.parse().ok()))
}

fn in_order(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<_> = addresses.collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn no_program(what: String, programs: &str) -> ObserveError {
    let reason = format!("it takes {programs} in the image, and there is none");
    ObserveError::unusable(what, reason)
}

fn describe(node: &str, host: &str, port: u16) -> String {
    format!("the way from `{node}` to `{host}` port {port}")
}

impl Observed for Reach {
    fn subject(&self) -> String {
        describe(&self.node, &self.host, self.port)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Some(refusal) => write!(f, "closed: {refusal}"),
            None => f.write_str("open"),
        }
    }
}

/// A look from one container at what a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// What the definition of the container that looked calls it.
    pub node: String,
    /// The name.
    pub host: String,
    /// The addresses it leads to, in order; none if nobody knows it.
    pub addresses: Vec<IpAddr>,
}

/// Looks from a container where a name leads.
///
/// # Errors
///
/// The container does not run, or none of the programs that could look is in its image.
pub async fn resolve(container: &Container, host: &str) -> Result<Lookup, ObserveError> {
    let (node, host) = (container.node().to_owned(), host.to_owned());
    match look_up(container, &host).await? {
        Some(addresses) => Ok(Lookup { node, host, addresses }),
        None => Err(no_program(lookup_of(&node, &host), "getent or BusyBox")),
    }
}

fn lookup_of(node: &str, host: &str) -> String {
    format!("where `{host}` leads from `{node}`")
}

impl Observed for Lookup {
    fn subject(&self) -> String {
        lookup_of(&self.node, &self.host)
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(&self.addresses))
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    match addresses {
        [] => "no address".to_owned(),
        _ => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Where a name should lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Nowhere.
    Unknown,
    /// To a container, at one of these addresses.
    LeadsTo {
        /// What the container's definition calls it.
        node: String,
        /// Its addresses on all its networks.
        addresses: Vec<IpAddr>,
    },
}

/// A name that should lead to this container.
///
/// # Errors
///
/// The container is gone, or the engine refuses.
pub async fn leads_to(container: &Container) -> Result<Name, ObserveError> {
    let settings = container.inspect().await?.network_settings.unwrap_or_default();
    let ends = settings.networks.unwrap_or_default().into_values();
    let texts = ends.flat_map(|end| [end.ip_address, end.global_ipv6_address]);
    let addresses = in_order(texts.flatten().filter_map(|text| text.parse().ok()));
    Ok(Name::LeadsTo { node: container.node().to_owned(), addresses })
}

impl Expectation<Lookup> for Name {
    fn differences(&self, found: &Lookup) -> Vec<Difference> {
        let expected = match self {
            Self::Unknown if found.addresses.is_empty() => return Vec::new(),
            Self::Unknown => "no address".to_owned(),
            Self::LeadsTo { addresses, .. }
                if found.addresses.iter().any(|address| addresses.contains(address)) =>
            {
                return Vec::new();
            }
            Self::LeadsTo { node, addresses } => {
                format!("that of `{node}`, {}", listed(addresses))
            }
        };
        let there = match &found.addresses[..] {
            [] => "none: are both on one network, and is that its name there?".to_owned(),
            addresses => listed(addresses),
        };
        vec![Difference::new("address", expected, there)]
    }
}

/// Whether a way should be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A connection can be made.
    Open,
    /// None can.
    Closed,
}

impl Expectation<Reach> for Way {
    fn differences(&self, found: &Reach) -> Vec<Difference> {
        match (self, &found.refusal) {
            (Self::Open, Some(refusal)) => {
                let name = match found.resolved {
                    Some(true) => {
                        ", though its name leads to an address: is anything listening there?"
                    }
                    Some(false) => {
                        ", because its name leads to no address: are both on one network?"
                    }
                    None => "",
                };
                let there = format!("`{refusal}`{name}");
                vec![Difference::new("connection", "one that is made", there)]
            }
            (Self::Closed, None) => vec![Difference::new("connection", "none", "one that is made")],
            (Self::Open, None) | (Self::Closed, Some(_)) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(resolved: bool, refusal: Option<&str>) -> Reach {
        Reach {
            node: "web".to_owned(),
            host: "db".to_owned(),
            port: 5432,
            resolved: Some(resolved),
            refusal: refusal.map(str::to_owned),
        }
    }

    #[test]
    fn a_way_is_open_or_closed() {
        assert_eq!(found(true, None).assert(&Way::Open), Ok(()));
        assert_eq!(found(false, Some("no")).assert(&Way::Closed), Ok(()));
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        let refused = found(true, Some("nc: can't connect: Connection refused"));
        insta::assert_snapshot!(refused.assert(&Way::Open).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected one that is made, found `nc: can't connect: Connection refused`, though its name leads to an address: is anything listening there?
        ");
        let unknown = found(false, Some("nc: bad address 'db'"));
        insta::assert_snapshot!(unknown.assert(&Way::Open).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected one that is made, found `nc: bad address 'db'`, because its name leads to no address: are both on one network?
        ");
        let untold = Reach { resolved: None, ..found(true, Some("no connection, code 1")) };
        insta::assert_snapshot!(untold.assert(&Way::Open).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected one that is made, found `no connection, code 1`
        ");
        insta::assert_snapshot!(found(true, None).assert(&Way::Closed).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected none, found one that is made
        ");
    }

    #[test]
    fn what_it_takes_to_look_is_said() {
        insta::assert_snapshot!(
            no_program(describe("web", "db", 5432), "python3, BusyBox or bash with timeout"),
            @"look at the way from `web` to `db` port 5432: it takes python3, BusyBox or bash with timeout in the image, and there is none"
        );
        insta::assert_snapshot!(
            no_program(lookup_of("web", "db"), "getent or BusyBox"),
            @"look at where `db` leads from `web`: it takes getent or BusyBox in the image, and there is none"
        );
    }

    fn lookup(addresses: &[&str]) -> Lookup {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Lookup { node: "web".to_owned(), host: "db".to_owned(), addresses }
    }

    #[test]
    fn a_name_leads_to_the_container_it_should() {
        let addresses = lookup(&["172.20.0.2"]).addresses;
        let db = Name::LeadsTo { node: "db".to_owned(), addresses };
        assert_eq!(lookup(&["172.20.0.2"]).assert(&db), Ok(()));
        assert_eq!(lookup(&[]).assert(&Name::Unknown), Ok(()));
        insta::assert_snapshot!(lookup(&["172.20.0.9"]).assert(&db).unwrap_err(), @r"
        match where `db` leads from `web`
          address: expected that of `db`, 172.20.0.2, found 172.20.0.9
        ");
        insta::assert_snapshot!(lookup(&[]).assert(&db).unwrap_err(), @r"
        match where `db` leads from `web`
          address: expected that of `db`, 172.20.0.2, found none: are both on one network, and is that its name there?
        ");
        insta::assert_snapshot!(lookup(&["::1"]).assert(&Name::Unknown).unwrap_err(), @r"
        match where `db` leads from `web`
          address: expected no address, found ::1
        ");
    }

    #[test]
    fn getent_and_nslookup_are_read() {
        let getent = "172.20.0.3      STREAM db\n172.20.0.3      DGRAM\n172.20.0.2  RAW\n";
        assert_eq!(first_words(getent), lookup(&["172.20.0.2", "172.20.0.3"]).addresses);
        let nslookup = "Server:\t\t127.0.0.11\nAddress:\t127.0.0.11:53\n\n\
                        Non-authoritative answer:\nName:\tdb\nAddress 1: 172.20.0.2\n";
        assert_eq!(answers(nslookup), lookup(&["172.20.0.2"]).addresses);
        assert_eq!(answers("** server can't find db: NXDOMAIN\n"), lookup(&[]).addresses);
    }
}

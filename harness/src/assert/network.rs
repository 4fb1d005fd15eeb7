//! Whether one container finds and reaches another.
//!
//! Only from inside a container can that be seen, and the engine has no way to look from there,
//! so it takes a program in the image: `getent` or BusyBox for names; `bash`, `python3` or
//! BusyBox for connections. Images without any can be looked at from the other end only.

use super::engine::ObserveError;
use super::local::{command, tool};
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
    let Some(connected) = tool(container, connect).await? else {
        let reason =
            "it takes python3, BusyBox or bash with timeout in the image, and there is none";
        return Err(ObserveError::unusable(describe(container.node(), host, port), reason));
    };
    let refusal = (connected.code != 0).then(|| {
        let said = connected.stderr_text();
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        if last.is_empty() {
            format!("no connection (code {})", connected.code)
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
    let ask = [
        command(["getent", "hosts", host]),
        command(["/busybox", "nslookup", host]),
        command(["busybox", "nslookup", host]),
    ];
    Ok(tool(container, ask).await?.map(|output| output.code == 0))
}

fn describe(node: &str, host: &str, port: u16) -> String {
    format!("the way from `{node}` to `{host}` port {port}")
}

impl Observed for Reach {
    fn subject(&self) -> String {
        describe(&self.node, &self.host, self.port)
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
                    Some(true) => ", though its name leads to an address",
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
          connection: expected one that is made, found `nc: can't connect: Connection refused`, though its name leads to an address
        ");
        let unknown = found(false, Some("nc: bad address 'db'"));
        insta::assert_snapshot!(unknown.assert(&Way::Open).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected one that is made, found `nc: bad address 'db'`, because its name leads to no address: are both on one network?
        ");
        insta::assert_snapshot!(found(true, None).assert(&Way::Closed).unwrap_err(), @r"
        match the way from `web` to `db` port 5432
          connection: expected none, found one that is made
        ");
    }
}

//! The ports a container listens on, and whether anybody else can reach them.
//!
//! The engine knows which ports an image exposes, not which are open. The kernel knows: it is
//! asked directly if the engine is on this machine, so images without any program are fine, and
//! by `cat` in the container if not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::engine::ObserveError;
use super::local::{As, main_process, spellings, tool};
use super::mismatch::{Difference, Expectation, Observed};
use crate::container::Container;

/// Where the engine's own name server listens in each container that is on a network of its own.
const NAME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// The files the kernel tells in.
const FILES: [&str; 2] = ["net/tcp", "net/tcp6"];

/// The TCP ports a container listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// What the container's definition calls it.
    pub node: String,
    /// The addresses listened on, in order of port.
    pub listening: Vec<SocketAddr>,
}

/// The TCP ports the container listens on now. The engine's own name server does not count.
///
/// # Errors
///
/// The container does not run; or the engine is on another machine and there is no `cat` in the
/// image.
pub async fn of(container: &Container) -> Result<Ports, ObserveError> {
    let what = format!("the ports of `{}`", container.node());
    let mut text = String::new();
    if let Some(process) = main_process(container, &what).await? {
        for file in FILES {
            // Without IPv6 there is no `tcp6`.
            text += &tokio::fs::read_to_string(process.join(file)).await.unwrap_or_default();
        }
    } else {
        let files = FILES.map(|file| format!("/proc/self/{file}"));
        let files = files.each_ref().map(String::as_str);
        let cats = spellings("cat", &files);
        let Some(output) = tool(container, As::Container, cats).await? else {
            return Err(no_way(what));
        };
        text = output.stdout_text().into_owned();
    }
    Ok(Ports { node: container.node().to_owned(), listening: listening(&text) })
}

fn no_way(what: String) -> ObserveError {
    let reason = "the engine is on another machine and there is no `cat` in the image; where the \
                  engine is on the test's own machine none is needed";
    ObserveError::unusable(what, reason)
}

/// The addresses in the LISTEN state, of a table of TCP sockets as the kernel writes it.
fn listening(table: &str) -> Vec<SocketAddr> {
    const LISTEN: &str = "0A";
    let mut found: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.split_whitespace().skip(1);
            let local = cells.next()?;
            (cells.nth(1)? == LISTEN).then(|| address(local))?
        })
        .filter(|address| address.ip() != NAME_SERVER)
        .collect();
    found.sort_by_key(|address| (address.port(), address.ip()));
    found
}

/// An address in hexadecimal: words of four bytes, each as a little-endian machine has it in
/// memory.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_le_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

impl Observed for Ports {
    fn subject(&self) -> String {
        format!("the ports of `{}`", self.node)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.listening.is_empty() {
            return f.write_str("nobody listening");
        }
        let addresses: Vec<_> = self.listening.iter().map(ToString::to_string).collect();
        write!(f, "listening on {}", addresses.join(", "))
    }
}

/// Ports that should be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortsMatcher {
    /// The ports.
    pub ports: Vec<u16>,
    /// Whether others may be open as well.
    pub others: bool,
}

/// TCP ports that should be open to other containers. What listens on the loopback address only
/// is open to nobody but its own container, whatever is published.
pub fn listens_on(ports: impl IntoIterator<Item = u16>) -> PortsMatcher {
    PortsMatcher { ports: ports.into_iter().collect(), others: true }
}

impl PortsMatcher {
    /// Expects no other port to be open to other containers.
    #[must_use]
    pub fn nothing_else(mut self) -> Self {
        self.others = false;
        self
    }
}

impl Expectation<Ports> for PortsMatcher {
    fn differences(&self, found: &Ports) -> Vec<Difference> {
        let open = |address: &&SocketAddr| !address.ip().is_loopback();
        let mut differences = Vec::new();
        for port in &self.ports {
            let listeners = || found.listening.iter().filter(|address| address.port() == *port);
            if listeners().any(|address| open(&address)) {
                continue;
            }
            let there = match listeners().next() {
                Some(address) => format!("{address}, which only the container itself reaches"),
                None => found.to_string(),
            };
            differences.push(Difference::new(format!("port {port}"), "open to others", there));
        }
        if !self.others {
            let surplus = found.listening.iter().filter(open);
            let surplus = surplus.filter(|address| !self.ports.contains(&address.port()));
            differences.extend(surplus.map(|address| {
                Difference::new(format!("port {}", address.port()), "closed", address.to_string())
            }));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:8D29 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3
   3: 020011AC:1F40 010011AC:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 4
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0 0 0 5
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 0 0 0 6
   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 0:0 0 0 0 7
";

    fn found() -> Ports {
        Ports { node: "web".to_owned(), listening: listening(TABLE) }
    }

    #[test]
    fn the_table_of_the_kernel_is_read() {
        insta::assert_snapshot!(
            found(),
            @"listening on [::]:80, [::1]:81, 127.0.0.1:82, 0.0.0.0:8000, 127.0.0.1:8001"
        );
        assert_eq!(listening("nonsense\n 0: zz:1 x 0A"), []);
    }

    #[test]
    fn what_it_takes_to_look_is_said() {
        insta::assert_snapshot!(
            no_way("the ports of `web`".to_owned()),
            @"look at the ports of `web`: the engine is on another machine and there is no `cat` in the image; where the engine is on the test's own machine none is needed"
        );
    }

    #[test]
    fn open_ports_are_open() {
        assert_eq!(found().assert(&listens_on([80, 8000]).nothing_else()), Ok(()));
    }

    #[test]
    fn what_is_closed_or_open_against_expectation_is_said() {
        let expected = listens_on([80, 82, 443]).nothing_else();
        insta::assert_snapshot!(found().assert(&expected).unwrap_err(), @r"
        match the ports of `web`
          port 82: expected open to others, found 127.0.0.1:82, which only the container itself reaches
          port 443: expected open to others, found listening on [::]:80, [::1]:81, 127.0.0.1:82, 0.0.0.0:8000, 127.0.0.1:8001
          port 8000: expected closed, found 0.0.0.0:8000
        ");
        let silent = Ports { node: "web".to_owned(), listening: Vec::new() };
        insta::assert_snapshot!(silent.assert(&listens_on([80])).unwrap_err(), @r"
        match the ports of `web`
          port 80: expected open to others, found nobody listening
        ");
    }
}

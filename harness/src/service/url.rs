//! URLs of services, percent-encoded (RFC 3986).

use std::fmt::{self, Display, Write as _};
use std::net::Ipv6Addr;

/// A URL of a service: `scheme://user:password@host/path`.
#[derive(Debug)]
pub(super) struct Url(String);

impl Url {
    pub(super) fn new(scheme: &str) -> Self {
        Self(format!("{scheme}://"))
    }

    pub(super) fn login(mut self, user: &str, password: &str) -> Self {
        let _ = write!(self.0, "{}:{}@", Encoded(user), Encoded(password));
        self
    }

    /// A name, an address or either with a port.
    pub(super) fn host(mut self, host: impl Display) -> Self {
        let host = host.to_string();
        let _ = match host.parse::<Ipv6Addr>() {
            Ok(address) => write!(self.0, "[{address}]"),
            Err(_) => write!(self.0, "{host}"),
        };
        self
    }

    /// One segment, in which a slash is no separator.
    pub(super) fn segment(mut self, segment: &str) -> String {
        let _ = write!(self.0, "/{}", Encoded(segment));
        self.0
    }

    pub(super) fn root(self) -> String {
        self.0 + "/"
    }
}

/// Text of which all is encoded that has a meaning in a URL.
struct Encoded<'a>(&'a str);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(byte.into())
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_that_has_a_meaning_is_encoded() {
        let url = Url::new("postgres").login("a:b", "p@ss/w%rd").host("db").segment("my data/ü");
        assert_eq!(url, "postgres://a%3Ab:p%40ss%2Fw%25rd@db/my%20data%2F%C3%BC");
    }

    #[test]
    fn hosts_are_names_or_addresses_with_or_without_a_port() {
        let root = |host: &dyn Display| Url::new("http").host(host).root();
        assert_eq!(root(&"web:8080"), "http://web:8080/");
        assert_eq!(root(&"192.0.2.7"), "http://192.0.2.7/");
        assert_eq!(root(&"::1"), "http://[::1]/");
        assert_eq!(root(&"[::1]:80"), "http://[::1]:80/");
        assert_eq!(root(&"2001:db8::7".parse::<IpAddr>().unwrap()), "http://[2001:db8::7]/");
        let address: SocketAddr = "[2001:db8::7]:80".parse().unwrap();
        assert_eq!(root(&address), "http://[2001:db8::7]:80/");
    }

    proptest! {
        #[test]
        fn a_url_of_anything_is_read_as_what_it_was_made_of(
            user in any::<String>(), password in any::<String>(), segment in any::<String>(),
        ) {
            let url = Url::new("amqp").login(&user, &password).host("h:1").segment(&segment);
            let url = reqwest::Url::parse(&url).unwrap();
            prop_assert_eq!(decode(url.username()), user);
            prop_assert_eq!(decode(url.password().unwrap_or_default()), password);
            // The standard for URLs, unlike RFC 3986, takes a segment of dots for a way up.
            prop_assume!(segment != "." && segment != "..");
            prop_assert_eq!(decode(&url.path()[1..]), segment);
        }
    }

    fn decode(text: &str) -> String {
        let mut bytes = text.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            decoded.push(match byte {
                b'%' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(decoded).unwrap()
    }
}

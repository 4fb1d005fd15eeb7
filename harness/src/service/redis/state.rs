//! How a Redis is configured, and who may do what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::Client;
use crate::service::BoxError;

/// Configuration and users of a server.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    settings: BTreeMap<String, String>,
    /// Their rules, by name.
    users: BTreeMap<String, String>,
}

impl State {
    pub(super) async fn of(client: &mut Client) -> Result<Self, BoxError> {
        let settings = client.ask(&["CONFIG", "GET", "*"]).await?.texts();
        let settings = settings.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        let settings = settings.collect();
        let users = client.ask(&["ACL", "LIST"]).await?.texts();
        // `user NAME RULE...`
        let split = |line: &String| {
            let (name, rules) = line.strip_prefix("user ")?.split_once(' ')?;
            Some((name.to_owned(), rules.to_owned()))
        };
        Ok(Self { settings, users: users.iter().filter_map(split).collect() })
    }

    /// The commands that lead from another state to this one.
    pub(super) fn from(&self, other: &Self) -> Vec<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let differs =
            |(name, value): &(&String, &String)| other.settings.get(*name) != Some(*value);
        let settings = self.settings.iter().filter(differs);
        let settings = settings.map(|(name, value)| words(&["CONFIG", "SET", name, value]));
        let strangers = other.users.keys().filter(|name| !self.users.contains_key(*name));
        let strangers = strangers.map(|name| words(&["ACL", "DELUSER", name]));
        let changed = self.users.iter();
        let changed = changed.filter(|(name, rules)| other.users.get(*name) != Some(*rules));
        let changed = changed.map(|(name, rules)| {
            let begin = ["ACL", "SETUSER", name, "reset"].into_iter();
            begin.chain(rules.split(' ')).map(str::to_owned).collect()
        });
        settings.chain(strangers).chain(changed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(settings: &[(&str, &str)], users: &[(&str, &str)]) -> State {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        State { settings: map(settings), users: map(users) }
    }

    #[test]
    fn only_what_differs_is_put_back() {
        let first = state(&[("maxmemory", "0"), ("save", "")], &[("default", "on nopass ~*")]);
        assert!(first.from(&first).is_empty());
        let later = state(
            &[("maxmemory", "100"), ("save", "")],
            &[("default", "off nopass ~*"), ("eve", "on ~*")],
        );
        let commands: Vec<_> = first.from(&later).iter().map(|words| words.join(" ")).collect();
        let expected =
            ["CONFIG SET maxmemory 0", "ACL DELUSER eve", "ACL SETUSER default reset on nopass ~*"];
        assert_eq!(commands, expected);
    }
}

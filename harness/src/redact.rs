//! Passwords, in what is shown of a container.

use serde_json::Value;

/// Parts of the names of variables that hold what nobody else should see.
const SECRET: [&str; 7] = ["PASS", "PWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH"];

const REDACTED: &str = "redacted";

/// Takes out the values of variables that are called like secrets, and the passwords of URLs.
pub(crate) fn redact(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(redacted) = line(text) {
                *text = redacted;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The line without what is secret in it; nothing if nothing is.
pub(crate) fn line(line: &str) -> Option<String> {
    variable(line).or_else(|| url(line))
}

/// `POSTGRES_PASSWORD=sugar`.
fn variable(text: &str) -> Option<String> {
    let (name, _) = text.split_once('=')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let upper = name.to_uppercase();
    let secret = is_name && SECRET.iter().any(|part| upper.contains(part));
    secret.then(|| format!("{name}={REDACTED}"))
}

/// Every `scheme://user:password@` in a text. The last `@` counts: a password that nobody has
/// encoded may hold one, and a `/` as well. Better too much is taken out.
fn url(text: &str) -> Option<String> {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        redacted += before;
        let end = after.find(|c: char| c.is_whitespace() || ",\"'".contains(c));
        let (authority, next) = after.split_at(end.unwrap_or(after.len()));
        match authority
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?, host)))
        {
            Some(((user, _), host)) => redacted += &format!("{user}:{REDACTED}@{host}"),
            None => redacted += authority,
        }
        rest = next;
    }
    redacted += rest;
    (redacted != text).then_some(redacted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let mut value = json!({
            "Config": {
                "Env": [
                    "POSTGRES_PASSWORD=sugar=",
                    "DATABASE_URL=postgres://bakery:s/ug@r@db:5432/cakes?sslmode=disable",
                    "GIT_TOKEN=",
                    "PATH=/usr/bin",
                ],
                "Cmd": ["run", "--broker", "amqp://u:p@mq, redis://:p@cache/0"],
                "Labels": { "source": "https://code.example/cakes" },
            },
            "State": { "ExitCode": 1 },
        });
        redact(&mut value);
        assert_eq!(
            value,
            json!({
                "Config": {
                    "Env": [
                        "POSTGRES_PASSWORD=redacted",
                        "DATABASE_URL=postgres://bakery:redacted@db:5432/cakes?sslmode=disable",
                        "GIT_TOKEN=redacted",
                        "PATH=/usr/bin",
                    ],
                    "Cmd": ["run", "--broker", "amqp://u:redacted@mq, redis://:redacted@cache/0"],
                    "Labels": { "source": "https://code.example/cakes" },
                },
                "State": { "ExitCode": 1 },
            })
        );
    }
}

//! What should not be read in the log of a CI job.

use std::borrow::Cow;

/// Whether what has this name may be a secret.
pub(crate) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL"].iter().any(|word| name.contains(word))
}

/// A line of a configuration, without its value if its name sounds like a secret.
pub(crate) fn shown(line: &str) -> Cow<'_, str> {
    match line.split_once(['=', ':']) {
        Some((name, value)) if sounds_secret(name) && !value.trim().is_empty() => {
            let separator = &line[name.len()..=name.len()];
            Cow::Owned(format!("{name}{separator} (not shown)"))
        }
        _ => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_not_shown() {
        let config = "default_pass = sugar\nuser: maria\napi-key: f00\n[passwords]\nSECRET=\nplain";
        let shown: Vec<_> = config.lines().map(shown).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        default_pass = (not shown)
        user: maria
        api-key: (not shown)
        [passwords]
        SECRET=
        plain
        ");
    }
}

//! Text for people: what a server sent and what a URL holds, fit for a terminal and a log.

use reqwest::Url;

/// The longest piece of a server's text that a message repeats, in characters.
const LIMIT: usize = 300;

/// Query parameters of the distribution API, whose values are no secrets. All others are taken
/// for one: a presigned URL names its signature as it likes.
const HARMLESS: [&str; 11] = [
    "artifactType",
    "client_id",
    "digest",
    "digest-algorithm",
    "from",
    "last",
    "mount",
    "n",
    "scope",
    "service",
    "tag",
];

/// `text` in one line that no terminal or CI runner obeys.
///
/// Control characters and those that reorder or hide text go; `::` and `##[` are broken up,
/// since at the start of a line they are commands to CI runners.
pub(super) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let clean = |c: char| if c.is_control() || hidden(c) { ' ' } else { c };
    let spaced: String = text.chars().map(clean).collect();
    let mut line = String::new();
    for word in spaced.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if (c == ':' && line.ends_with(':')) || (c == '[' && line.ends_with("##")) {
                line.push(' ');
            }
            line.push(c);
        }
    }
    if let Some((end, _)) = line.char_indices().nth(LIMIT) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// `url` without user, fragment and the values of parameters that may be secrets.
pub(super) fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs without a host, which have nothing to remove.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if url.query().is_some() {
        let mut query = String::new();
        for pair in url.query().unwrap_or_default().split('&') {
            let name = pair.split('=').next().unwrap_or_default();
            if !query.is_empty() {
                query.push('&');
            }
            if HARMLESS.contains(&name) {
                query.push_str(pair);
            } else {
                query.push_str(name);
                query.push_str("=redacted");
            }
        }
        shown.set_query(Some(&query));
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edge_39_server_text_is_one_harmless_line() {
        assert_eq!(printable("a\x1b[31mb\r\nc\u{202e}d"), "a [31mb c d");
        assert_eq!(printable("x\n::error::y ##[group]"), "x : :error: :y ## [group]");
        assert_eq!(printable(&"é".repeat(400)).chars().count(), LIMIT + 1);
        assert_eq!(printable(&format!("{} b", "a".repeat(LIMIT))).chars().count(), LIMIT + 1);
        assert_eq!(printable(&format!("a{}", ":".repeat(400))).chars().count(), LIMIT + 1);
    }

    #[test]
    fn edge_39_a_url_is_shown_without_its_secrets() {
        let url: Url = "https://me:pw@h/v2/a?n=5&X-Amz-Signature=s3cret&token=t#f".parse().unwrap();
        let shown = redacted(&url);
        assert_eq!(shown, "https://h/v2/a?n=5&X-Amz-Signature=redacted&token=redacted");
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_control_character_or_a_runner_command(text in "\\PC{0,40}|[:#\\[\n\x1b a]{0,40}|.{0,40}") {
            let line = printable(&text);
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            prop_assert!(!line.contains("::") && !line.contains("##["), "{line:?}");
        }
    }
}

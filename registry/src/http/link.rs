//! `Link` fields: where a list goes on (RFC 8288).

use reqwest::Url;

use super::cursor::Cursor;

/// Why a list cannot be followed to its next page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    /// It is no URL.
    #[error("the link to its next page is no URL")]
    Unreadable,
    /// It leads elsewhere, where this registry's word and credentials mean nothing.
    #[error("the link to its next page leads to another host, {0}")]
    OtherHost(String),
}

/// The target of the first `rel=next` link in all `Link` fields of one answer.
pub(super) fn next<'a>(fields: impl IntoIterator<Item = &'a str>) -> Option<String> {
    fields.into_iter().find_map(next_in)
}

/// Where `target`, found in the answer to `page`, leads: always on the host of `page`.
///
/// A registry behind a proxy may write its own name with the scheme or port that it sees itself;
/// then its path and query are taken, and asked for where the last page came from.
pub(super) fn resolve(page: &Url, target: &str) -> Result<Url, LinkError> {
    let next = page.join(target).map_err(|_| LinkError::Unreadable)?;
    if next.host() != page.host() || !matches!(next.scheme(), "http" | "https") {
        let host = next.host_str().unwrap_or_default().to_owned();
        return Err(LinkError::OtherHost(host));
    }
    let mut same = page.clone();
    same.set_path(next.path());
    same.set_query(next.query());
    Ok(same)
}

fn next_in(field: &str) -> Option<String> {
    let mut cursor = Cursor::new(field);
    loop {
        cursor.skip_all(&[',', ';']);
        if cursor.is_at_end() {
            return None;
        }
        if !cursor.take('<') {
            // Not a link: on to the next thing that may be one.
            cursor.value(&[',', '<']);
            if !cursor.is_at_end() && cursor.peek() != Some('<') {
                cursor.skip();
            }
            continue;
        }
        let target = cursor.take_while(|c| c != '>');
        let closed = cursor.take('>');
        let is_next = read_parameters(&mut cursor);
        if closed && is_next {
            return Some(target.trim().to_owned());
        }
    }
}

/// Reads `;name=value` pairs up to the next link; whether one says `rel=next`.
fn read_parameters(cursor: &mut Cursor<'_>) -> bool {
    let mut relation = None;
    loop {
        cursor.skip_space();
        if !cursor.take(';') {
            break;
        }
        cursor.skip_space();
        let name = cursor.token();
        cursor.skip_space();
        if cursor.take('=') {
            cursor.skip_space();
            let value = cursor.value(&[';', ',']);
            // The first one counts (RFC 8288, section 3.3).
            if name.eq_ignore_ascii_case("rel") {
                relation.get_or_insert(value);
            }
        }
    }
    let relation = relation.unwrap_or_default();
    relation.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edge_26_links_are_found_relative_or_absolute_quoted_or_not() {
        for (field, target) in [
            (r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, Some("/v2/a/tags/list?last=b&n=2")),
            ("<https://h/v2/x>;rel=next", Some("https://h/v2/x")),
            (r#"</p?a=1,2;3>; title="a, <b>; rel=next"; REL = "NEXT""#, Some("/p?a=1,2;3")),
            (r#"</first>; rel="prev", </second>; rel="last next""#, Some("/second")),
            (r#"</a>; rel=prev; rel=next"#, None),
            (r#"</a>; rel=nextish, </b>"#, None),
            ("", None),
            ("</a", None),
            ("junk, </a>; rel=next", Some("/a")),
        ] {
            assert_eq!(next([field]).as_deref(), target, "{field}");
        }
        assert_eq!(next(["</a>; rel=prev", "</b>; rel=next"]).as_deref(), Some("/b"));
    }

    #[test]
    fn edge_26_a_link_to_another_host_is_refused() {
        let page: Url = "https://reg:5000/v2/a/tags/list?n=2".parse().unwrap();
        for bad in ["https://evil/v2", "//evil/v2", "ftp://reg:5000/x", "file:///etc/passwd"] {
            assert!(matches!(resolve(&page, bad), Err(LinkError::OtherHost(_))), "{bad}");
        }
        for (target, expected) in [
            ("/v2/a/tags/list?last=x", "https://reg:5000/v2/a/tags/list?last=x"),
            ("list?last=x", "https://reg:5000/v2/a/tags/list?last=x"),
            ("http://reg/v2/x?y", "https://reg:5000/v2/x?y"),
            ("https://me:pw@reg:5000/v2/x", "https://reg:5000/v2/x"),
        ] {
            assert_eq!(resolve(&page, target).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_megabyte_of_anything_takes_linear_time() {
        for unit in ["<", ">", "\"", "<a>;", ";rel=\"", ",", "a b "] {
            next([unit.repeat((1 << 20) / unit.len()).as_str()]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}|[<>a-z=\";, \\\\]{0,80}") {
            if let Some(target) = next([text.as_str()]) {
                let page: Url = "http://h/v2/".parse().unwrap();
                if let Ok(url) = resolve(&page, &target) {
                    prop_assert_eq!(url.host_str(), Some("h"));
                }
            }
        }

        #[test]
        fn what_is_written_by_the_grammar_is_read_back(
            target in "/[a-z0-9/?=&,;%-]{0,30}", title in "[ a-z<>,;]{0,20}",
        ) {
            let field = format!("<{target}>; title=\"{title}\"; rel=\"next\"");
            prop_assert_eq!(next([field.as_str()]), Some(target));
        }
    }
}

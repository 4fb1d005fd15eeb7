//! Challenges: what a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).

use super::cursor::Cursor;

/// One challenge of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token with every request, from an issuer.
    Bearer(Bearer),
    /// A scheme unknown here, such as `Negotiate`.
    Other(String),
}

/// A challenge for a bearer token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The URL of the issuer; empty when the registry forgot it.
    pub(super) realm: String,
    /// The name under which the issuer knows the registry.
    pub(super) service: Option<String>,
    /// What the refused request needs, `repository:PATH:ACTIONS`, separated by spaces.
    pub(super) scope: Option<String>,
}

/// The challenges in all `WWW-Authenticate` fields of one answer, in order.
///
/// Never fails: what cannot be read is skipped, and what is left decides.
pub(super) fn parse<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for field in fields {
        read_field(field, &mut challenges);
    }
    challenges
}

/// The one to answer: a bearer token goes before a password, which it replaces.
pub(super) fn choose(challenges: Vec<Challenge>) -> Option<Challenge> {
    let rank = |challenge: &Challenge| match challenge {
        Challenge::Bearer(bearer) if !bearer.realm.is_empty() => 0,
        Challenge::Basic => 1,
        Challenge::Bearer(_) => 2,
        Challenge::Other(_) => 3,
    };
    challenges.into_iter().min_by_key(rank)
}

fn read_field(field: &str, challenges: &mut Vec<Challenge>) {
    let mut cursor = Cursor::new(field);
    loop {
        cursor.skip_all(&[',']);
        if cursor.is_at_end() {
            return;
        }
        let word = cursor.token();
        if word.is_empty() {
            // Neither a scheme nor a parameter: step over it.
            cursor.skip();
            continue;
        }
        let after_word = cursor.clone();
        cursor.skip_space();
        if is_parameter(&cursor) {
            cursor.skip();
            cursor.skip_space();
            let value = cursor.value(&[',']);
            if let Some(Challenge::Bearer(bearer)) = challenges.last_mut() {
                bearer.set(word, value);
            }
        } else {
            cursor = after_word;
            challenges.push(Challenge::new(word));
            if cursor.skip_space() {
                skip_token68(&mut cursor);
            }
        }
    }
}

/// Whether the word just read is the name of a parameter, not a scheme.
fn is_parameter(cursor: &Cursor<'_>) -> bool {
    cursor.peek() == Some('=')
}

/// Skips credentials in one piece, as in `Negotiate oY...==`, and nothing if a parameter or
/// another scheme follows.
fn skip_token68(cursor: &mut Cursor<'_>) {
    let mut ahead = cursor.clone();
    let piece = ahead.take_while(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
    ahead.take_while(|c| c == '=');
    ahead.skip_space();
    let ends = ahead.is_at_end() || ahead.peek() == Some(',');
    if !piece.is_empty() && ends {
        *cursor = ahead;
    }
}

impl Challenge {
    fn new(scheme: &str) -> Self {
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Self::Basic,
            "bearer" => Self::Bearer(Bearer::default()),
            _ => Self::Other(scheme.to_owned()),
        }
    }
}

impl Bearer {
    fn set(&mut self, name: &str, value: String) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => self.realm = value,
            "service" => self.service = Some(value),
            "scope" => self.scope = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn edge_28_commas_and_escapes_inside_quotes_belong_to_the_value() {
        let field = r#"Bearer realm="https://auth/t?a=1,2",service="a \"b\", c",scope="repository:x:pull,push""#;
        let expected =
            bearer("https://auth/t?a=1,2", Some(r#"a "b", c"#), Some("repository:x:pull,push"));
        assert_eq!(parse([field]), [expected]);
    }

    #[test]
    fn edge_28_several_challenges_in_one_field_and_in_several() {
        let both = [
            Challenge::Basic,
            bearer("https://a/t", Some("s"), None),
            Challenge::Other("Negotiate".to_owned()),
        ];
        let one = r#"Basic realm="x, y", Bearer realm="https://a/t", service=s, Negotiate oYH2=="#;
        assert_eq!(parse([one]), both);
        let many =
            [r#"Basic realm="x""#, r#"bearer realm="https://a/t" , service="s""#, "Negotiate"];
        assert_eq!(parse(many), both);
        assert_eq!(choose(both.to_vec()), Some(both[1].clone()));
    }

    #[test]
    fn edge_28_sloppy_fields_are_read_as_far_as_they_go() {
        for (field, expected) in [
            (r#"Bearer realm = "https://a/t""#, bearer("https://a/t", None, None)),
            (r#"BEARER Realm=https://a/t"#, bearer("https://a/t", None, None)),
            (r#"Bearer ,,realm="https://a/t",,"#, bearer("https://a/t", None, None)),
            (r#"Bearer realm="https://a/t"#, bearer("https://a/t", None, None)),
            (r#"Bearer realm="https://a/t" service="s""#, bearer("https://a/t", Some("s"), None)),
            ("Bearer", bearer("", None, None)),
            ("Basic", Challenge::Basic),
        ] {
            assert_eq!(parse([field]), [expected], "{field}");
        }
        assert_eq!(parse(["", ",", "\"", "="]), []);
        assert_eq!(choose(parse(["Bearer", "Basic realm=x"])), Some(Challenge::Basic));
    }

    #[test]
    fn a_megabyte_of_anything_takes_linear_time() {
        for unit in ["Bearer ", "a=\"", "\\\"", ",", "a=", "Bearer realm=\"", "="] {
            parse([unit.repeat((1 << 20) / unit.len()).as_str()]);
        }
    }

    fn quoted(value: &str) -> String {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}|[a-zA-Z=\", \\\\]{0,80}") {
            parse([text.as_str()]);
        }

        #[test]
        fn what_is_written_by_the_grammar_is_read_back(
            realm in "[ -~]{1,30}", service in "[ -~]{0,20}", scope in "[ -~]{0,20}",
        ) {
            let (r, v, c) = (quoted(&realm), quoted(&service), quoted(&scope));
            let field = format!("Basic realm=\"b\", Bearer realm={r}, service={v},scope={c}");
            let expected = [Challenge::Basic, bearer(&realm, Some(&service), Some(&scope))];
            prop_assert_eq!(parse([field.as_str()]), expected);
        }
    }
}

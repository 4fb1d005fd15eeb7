//! Where the parts of a JSON text lie, so that one of them changes and the rest stays as written.
//!
//! `serde_json` parses; its own values would lose key order, spacing and the spelling of numbers.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object or array and the places of its members or elements; `null` is an empty one.
#[derive(Debug)]
pub(crate) struct Parts {
    brackets: (char, char),
    span: Range<usize>,
    pub(crate) parts: Vec<Part>,
}

/// A member of an object, or an element of an array.
#[derive(Debug)]
pub(crate) struct Part {
    /// The unescaped name of a member; empty for an element.
    pub(crate) key: String,
    /// Where the name lies, quotes included; nowhere for an element.
    name: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// Where the one value of `text` lies.
pub(crate) fn root(text: &str) -> Result<Range<usize>, serde_json::Error> {
    let value: &RawValue = serde_json::from_str(text)?;
    Ok(span(text, value))
}

/// The value of `key` in `object`.
pub(crate) fn get<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let parts = Parts::object(object, 0..object.len())?;
    parts.get(key).map(|part| &object[part.value.clone()])
}

/// `object` with `value` for `key`: replaced where it is, else as its last member.
pub(crate) fn set(object: &str, key: &str, value: &str) -> String {
    let Some(parts) = Parts::object(object, 0..object.len()) else { return object.to_owned() };
    if let Some(part) = parts.get(key) {
        return replace(object, &part.value, value);
    }
    let colon = parts.colon(object);
    parts.with(object, &format!("{}{colon}{value}", quote(key)))
}

/// `object` without `key`.
pub(crate) fn remove(object: &str, key: &str) -> String {
    let parts = Parts::object(object, 0..object.len());
    let at = parts.as_ref().and_then(|parts| parts.parts.iter().position(|part| part.key == key));
    match (parts, at) {
        (Some(parts), Some(at)) => parts.without(object, at),
        _ => object.to_owned(),
    }
}

/// `text` as a JSON string.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text` with `new` in place of `range`.
pub(crate) fn replace(text: &str, range: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

impl Parts {
    /// The members of the object at `at`; `None` when something else is there.
    pub(crate) fn object(text: &str, at: Range<usize>) -> Option<Self> {
        let members: Option<Members<'_>> = serde_json::from_str(&text[at.clone()]).ok()?;
        let members = members.map(|members| members.0).unwrap_or_default();
        let part = |(name, value): (&RawValue, &RawValue)| {
            // A lone surrogate is legal JSON and no text; such a name is none that is known here.
            let key = serde_json::from_str(name.get()).unwrap_or_default();
            Part { key, name: span(text, name), value: span(text, value) }
        };
        let parts = members.into_iter().map(part).collect();
        Some(Self { brackets: ('{', '}'), span: at, parts })
    }

    /// The elements of the array at `at`; `None` when something else is there.
    pub(crate) fn array(text: &str, at: Range<usize>) -> Option<Self> {
        let elements: Option<Vec<&RawValue>> = serde_json::from_str(&text[at.clone()]).ok()?;
        let part = |value: &RawValue| {
            let value = span(text, value);
            Part { key: String::new(), name: value.start..value.start, value }
        };
        let parts = elements.unwrap_or_default().into_iter().map(part).collect();
        Some(Self { brackets: ('[', ']'), span: at, parts })
    }

    /// The member of that name.
    pub(crate) fn get(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.key == key)
    }

    /// A name that two members have: readers differ in which of the two they believe.
    pub(crate) fn twice(&self) -> Option<&Part> {
        let mut seen = HashSet::new();
        self.parts.iter().find(|part| !part.key.is_empty() && !seen.insert(&part.key))
    }

    /// `text` with `part` added at the end, spaced as the last one is.
    pub(crate) fn with(&self, text: &str, part: &str) -> String {
        let Some(last) = self.parts.last() else {
            let (open, close) = self.brackets;
            return replace(text, &self.span, &format!("{open}{part}{close}"));
        };
        let before = match self.parts.len() {
            1 => self.span.start,
            count => self.parts[count - 2].value.end,
        };
        // What stands there is spaces around one bracket or comma.
        let gap = text[before..last.name.start].trim_start().get(1..).unwrap_or_default();
        replace(text, &(last.value.end..last.value.end), &format!(",{gap}{part}"))
    }

    /// `text` without the part at `at`, and without the comma and spaces that went with it.
    pub(crate) fn without(&self, text: &str, at: usize) -> String {
        let span = |at: usize| self.parts[at].span();
        let gone = match self.parts.len() {
            1 => self.span.start + 1..self.span.end - 1,
            _ if at == 0 => span(0).start..span(1).start,
            _ => span(at - 1).end..span(at).end,
        };
        replace(text, &gone, "")
    }

    /// The colon as this object spaces it.
    fn colon<'a>(&self, text: &'a str) -> &'a str {
        let colon = |part: &Part| &text[part.name.end..part.value.start];
        self.parts.first().map_or(":", colon)
    }
}

impl Part {
    /// Name, colon and value.
    fn span(&self) -> Range<usize> {
        self.name.start..self.value.end
    }
}

struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Each).map(Members)
    }
}

/// Where `value`, which borrows from `text`, lies in it.
fn span(text: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(text: &str) -> Parts {
        Parts::array(text, root(text).expect("JSON")).expect("an array")
    }

    #[test]
    fn an_added_part_is_spaced_as_the_one_before_it() {
        for (before, after) in [
            ("[]", "[9]"),
            (" null ", " [9] "),
            ("[ ]", "[9]"),
            ("[1]", "[1,9]"),
            ("[1, 2]", "[1, 2, 9]"),
            ("[\n  1\n]", "[\n  1,\n  9\n]"),
            ("[\n  1 ,\n  2\n]\n", "[\n  1 ,\n  2,\n  9\n]\n"),
        ] {
            assert_eq!(array(before).with(before, "9"), after);
        }
    }

    #[test]
    fn a_removed_part_takes_its_comma_with_it() {
        let text = "[\n  1,\n  2,\n  3\n]";
        assert_eq!(array(text).without(text, 0), "[\n  2,\n  3\n]");
        assert_eq!(array(text).without(text, 1), "[\n  1,\n  3\n]");
        assert_eq!(array(text).without(text, 2), "[\n  1,\n  2\n]");
        assert_eq!(array("[ 1 ]").without("[ 1 ]", 0), "[]");
    }

    #[test]
    fn members_are_set_and_removed_where_they_are() {
        let object = r#"{"z": 1.50, "k\u0065y": 1e400, "a": {"b": []}}"#;
        assert_eq!(get(object, "key"), Some("1e400"));
        assert_eq!(set(object, "key", "2"), r#"{"z": 1.50, "k\u0065y": 2, "a": {"b": []}}"#);
        assert_eq!(remove(object, "key"), r#"{"z": 1.50, "a": {"b": []}}"#);
        assert_eq!(remove(object, "none"), object);
        let longer = r#"{"z": 1.50, "k\u0065y": 1e400, "a": {"b": []}, "\"": true}"#;
        assert_eq!(set(object, "\"", "true"), longer);
        assert_eq!(set("{}", "a", "1"), r#"{"a":1}"#);
        assert_eq!(set("null", "a", "1"), r#"{"a":1}"#);
    }

    #[test]
    fn two_members_of_one_name_are_found_whatever_their_spelling() {
        let twice = r#"{"a": 1, "b": 2, "\u0061": 3}"#;
        let parts = Parts::object(twice, root(twice).expect("JSON")).expect("an object");
        assert_eq!(parts.twice().map(|part| &twice[part.value.clone()]), Some("3"));
    }
}

//! Text in HTML.

use std::borrow::Cow;

/// Text as it is, in an element or between the quotes of an attribute. A container's output is
/// a stranger's: nothing of it may become markup.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) && !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // HTML has no words for them.
            c if is_control(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            text("<b onclick='x' class=\"y\">&amp;"),
            "&lt;b onclick=&#39;x&#39; class=&quot;y&quot;&gt;&amp;amp;"
        );
        assert_eq!(text("a\u{0}b\tc\nd\u{1b}[1m"), "a\u{fffd}b\tc\nd\u{fffd}[1m");
        assert!(matches!(text("plain"), Cow::Borrowed(_)));
    }
}

//! The guide shows what is really there.

/// The blocks of the document with their language and the file that is linked last before them.
fn blocks(markdown: &str) -> Vec<(&str, &str, &str)> {
    let mut rest = markdown;
    let mut blocks = Vec::new();
    let mut file = "";
    while let Some((before, after)) = rest.split_once("```") {
        let links = before.rsplit("](../examples/django/").next();
        if let Some((link, _)) = links.and_then(|link| link.split_once(')')) {
            file = link;
        }
        let (language, after) = after.split_once('\n').unwrap_or_default();
        let (text, after) = after.split_once("```\n").unwrap_or_default();
        blocks.push((language, text, file));
        rest = after;
    }
    blocks
}

/// Without the white space that lines begin with.
fn flush(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

#[test]
fn code_and_messages_in_the_guide_are_those_of_the_files() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(directory.join("../docs/django.md")).expect("the guide");
    let shown = blocks(&guide).into_iter();
    let shown = shown.filter(|(language, ..)| ["rust", "text"].contains(language));
    let mut checked = 0;
    for (_, text, file) in shown {
        let path = directory.join("django").join(file);
        let source = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(flush(&source).contains(&flush(text)), "{file} does not have this:\n{text}");
        checked += 1;
    }
    assert_eq!(checked, 6, "code blocks of the guide");
}

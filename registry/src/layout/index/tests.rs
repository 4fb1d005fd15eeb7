use super::*;

fn index(entries: &str) -> Index {
    Index::parse(format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#)).expect("legal")
}

fn entry(content: &str, rest: &str) -> String {
    let Descriptor { digest, size, .. } = descriptor(content);
    let media_type = MediaType::OCI_MANIFEST;
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{rest}}}"#)
}

fn annotated(content: &str, annotations: &str) -> String {
    entry(content, &format!(r#","annotations":{{{annotations}}}"#))
}

fn named_entry(content: &str, name: &str) -> String {
    annotated(content, &format!(r#""{REF_NAME}":"{name}""#))
}

fn descriptor(content: &str) -> Descriptor {
    Descriptor {
        media_type: MediaType::new(MediaType::OCI_MANIFEST),
        digest: Digest::sha256(content.as_bytes()),
        size: content.len() as u64,
    }
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// The entries after `tag` was put on `content`.
fn moved(entries: &[String], name: &str, content: &str) -> String {
    let index = index(&entries.join(","));
    let index = index.with_tag(&tag(name), &descriptor(content)).expect("legal");
    let text = index.text().strip_prefix(r#"{"schemaVersion":2,"manifests":["#);
    text.and_then(|text| text.strip_suffix("]}")).expect("the rest as it was").to_owned()
}

#[test]
fn the_last_entry_of_a_digest_stays_without_the_name() {
    let after = moved(&[named_entry("old", "1")], "1", "new");
    assert_eq!(after, [entry("old", ""), named_entry("new", "1")].join(","));
}

#[test]
fn an_entry_whose_digest_another_has_goes() {
    let before = [named_entry("old", "1"), named_entry("old", "1.2"), entry("x", "")];
    let after = moved(&before, "1", "new");
    assert_eq!(after, [&before[1], &before[2], &named_entry("new", "1")].map(|e| &**e).join(","));
}

#[test]
fn an_entry_without_a_name_is_named_where_it_is() {
    let before = [entry("new", r#","x":[1.0]"#), named_entry("old", "2")];
    let name = format!(r#","x":[1.0],"annotations":{{"{REF_NAME}":"1"}}"#);
    assert_eq!(moved(&before, "1", "new"), [&*entry("new", &name), &*before[1]].join(","));
}

#[test]
fn a_copy_keeps_all_but_the_names() {
    let known = |name: &str, image: &str| {
        annotated("new", &format!(r#""a":"é\u0041",{image}"{REF_NAME}":"{name}","b":"""#))
    };
    let before = known("1.2.3", &format!(r#""{IMAGE_NAME}":"docker.io/acme/web:1.2.3","#));
    let after = moved(std::slice::from_ref(&before), "latest", "new");
    assert_eq!(after, [before, known("latest", "")].join(","));
}

#[test]
fn an_entry_that_promises_another_size_is_not_copied() {
    let wrong = named_entry("new", "1").replace(r#""size":3"#, r#""size":4"#);
    let after = moved(std::slice::from_ref(&wrong), "2", "new");
    assert_eq!(after, [wrong, named_entry("new", "2")].join(","));
}

#[test]
fn the_name_of_containerd_goes_with_the_tag_it_says() {
    let with =
        |image: &str| annotated("old", &format!(r#""{REF_NAME}":"1","{IMAGE_NAME}":"{image}""#));
    let after = moved(&[with("acme/web:1")], "1", "new");
    assert_eq!(after, [entry("old", ""), named_entry("new", "1")].join(","));
    let after = moved(&[with("acme/web:v1")], "1", "new");
    let kept = annotated("old", &format!(r#""{IMAGE_NAME}":"acme/web:v1""#));
    assert_eq!(after, [kept, named_entry("new", "1")].join(","));
}

#[test]
fn one_tag_on_two_digests_is_refused_and_can_be_removed() {
    let twice = [named_entry("a", "1"), named_entry("b", "1"), named_entry("c", "2")];
    let index = index(&twice.join(","));
    index.tags().expect_err("ambiguous");
    let error = index.tagged(&tag("1")).expect_err("ambiguous");
    let digests = [descriptor("a").digest, descriptor("b").digest];
    assert_eq!(error.to_string(), format!("tag 1 is on {} and on {}", digests[0], digests[1]));
    assert!(index.tagged(&tag("2")).expect("not ambiguous").is_some());
    let index = index.without_tag(&tag("1")).expect("legal");
    assert_eq!(index.tags().expect("one is left"), [tag("2")].into());
    assert!(digests.iter().all(|digest| index.entry(digest).is_some()));
}

#[test]
fn names_that_are_no_tags_and_same_names_of_one_digest_are_fine() {
    let index = index(
        &[
            named_entry("a", "docker.io/acme/web:1"),
            annotated("a", &format!(r#""{REF_NAME}":5"#)),
            named_entry("a", "1"),
            named_entry("a", "1"),
        ]
        .join(","),
    );
    assert_eq!(index.tags().expect("not ambiguous"), [tag("1")].into());
}

#[test]
fn null_is_an_empty_list() {
    let index = Index::parse(r#"{"manifests": null}"#.to_owned()).expect("as Go writes it");
    let index = index.with_tag(&tag("1"), &descriptor("a")).expect("legal");
    assert_eq!(index.text(), format!(r#"{{"manifests": [{}]}}"#, named_entry("a", "1")));
}

#[test]
fn errors_say_where() {
    let digest = r#""digest": "sha256:abc""#;
    for (text, problem) in [
        ("{\n  \"manifests\": [}", "expected value at line 2 column 17"),
        ("[]", "index.json is no object at line 1 column 1"),
        ("\n {}", "there is no manifests array at line 2 column 2"),
        ("{\"manifests\": {}}", "manifests is no array at line 1 column 15"),
        ("{\"manifests\": [\n 1]}", "manifests[0] is no object at line 2 column 2"),
        ("{\"manifests\": [{}]}", "manifests[0] has no mediaType at line 1 column 16"),
        (
            &format!("{{\"manifests\": [{{\"mediaType\":\"\",\n{digest}}}]}}"),
            "manifests[0] has an illegal digest at line 2 column 11",
        ),
        (
            "{\"manifests\": [],\n\"manifests\": []}",
            "index.json has \"manifests\" twice at line 2 column 14",
        ),
    ] {
        let error = Index::parse(text.to_owned()).expect_err(text);
        assert_eq!(error.to_string(), problem, "{text}");
    }
}

//! `manifest.json`: which files of an archive are an image, and what it is called.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;

use crate::layout::json::{self, Parts};
use crate::tag::Tag;

/// A `manifest.json` as written, and what it says.
#[derive(Debug)]
pub(super) struct Saved {
    text: String,
    list: Parts,
    pub(super) images: Vec<SavedImage>,
}

/// One image of an archive, by the names of its files.
#[derive(Debug)]
pub(super) struct SavedImage {
    pub(super) config: String,
    pub(super) layers: Vec<String>,
    /// What docker load names it: `name:tag`.
    pub(super) names: Vec<String>,
    at: Range<usize>,
}

/// A `manifest.json` that does not say what the images are.
#[derive(Debug, thiserror::Error)]
pub(super) enum SavedError {
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    #[error("it is no list")]
    NoList,
    #[error("image {n} has no legal Config, Layers and RepoTags")]
    Image { n: usize, source: serde_json::Error },
}

/// One tag on several images: nothing says which of them it means.
#[derive(Debug, thiserror::Error)]
#[error("tag {tag} is on several images: {}", .names.join(", "))]
pub(super) struct SeveralTagged {
    pub(super) tag: Tag,
    names: Vec<String>,
}

impl Saved {
    /// A `manifest.json` that lists nothing.
    pub(super) fn empty() -> Self {
        Self::parse(String::from("[]")).expect("an empty list")
    }

    pub(super) fn parse(text: String) -> Result<Self, SavedError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Image {
            config: String,
            layers: Option<Vec<String>>,
            repo_tags: Option<Vec<String>>,
        }
        let root = json::root(&text)?;
        let list = Parts::array(&text, root).ok_or(SavedError::NoList)?;
        let mut images = Vec::new();
        for (n, part) in list.parts.iter().enumerate() {
            let at = part.value.clone();
            let image: Image = serde_json::from_str(&text[at.clone()])
                .map_err(|source| SavedError::Image { n, source })?;
            let layers = image.layers.unwrap_or_default();
            let names = image.repo_tags.unwrap_or_default();
            images.push(SavedImage { config: image.config, layers, names, at });
        }
        Ok(Self { text, list, images })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// All tags, of whatever name.
    pub(super) fn tags(&self) -> Result<BTreeSet<Tag>, SeveralTagged> {
        let names = self.images.iter().flat_map(|image| &image.names);
        let tags: BTreeSet<Tag> = names.filter_map(|name| Some(split(name)?.1)).collect();
        for tag in &tags {
            self.tagged(tag)?;
        }
        Ok(tags)
    }

    /// The image that `tag` is on.
    pub(super) fn tagged(&self, tag: &Tag) -> Result<Option<&SavedImage>, SeveralTagged> {
        let mut holders = self.images.iter().filter(|image| image.holds(tag));
        let Some(first) = holders.next() else { return Ok(None) };
        // An image may be listed twice, under two names.
        if holders.all(|other| other.config == first.config && other.layers == first.layers) {
            return Ok(Some(first));
        }
        let names = self.images.iter().flat_map(|image| &image.names);
        let names = names.filter(|name| split(name).is_some_and(|(_, other)| other == *tag));
        let names = names.map(|name| name.escape_debug().to_string()).collect();
        Err(SeveralTagged { tag: tag.clone(), names })
    }

    /// The name before the tags, when all images have the same.
    pub(super) fn only_name(&self) -> Option<&str> {
        let names = self.images.iter().flat_map(|image| &image.names);
        let mut names = names.filter_map(|name| Some(split(name)?.0));
        let first = names.next()?;
        names.all(|name| name == first).then_some(first)
    }

    /// With `name` and `tag` on the image with these files, and `tag` on no other.
    pub(super) fn with_tag(
        self,
        (config, layers): (&str, &[String]),
        name: &str,
        tag: &Tag,
    ) -> Result<Self, SavedError> {
        let holds = |image: &SavedImage| image.config == config && image.layers == layers;
        let saved = self.without_tag_unless(tag, holds)?;
        let named = format!("{name}:{tag}");
        let Some(image) = saved.images.iter().find(|image| holds(image)) else {
            let image = serde_json::json!({
                "Config": config, "RepoTags": [named], "Layers": layers,
            });
            let text = saved.list.with(&saved.text, &image.to_string());
            return Self::parse(text);
        };
        if image.holds(tag) {
            return Ok(saved);
        }
        let names = image.names.iter().chain([&named]).cloned().collect();
        let text = saved.renamed(image, names);
        Self::parse(text)
    }

    /// With `tag` on nothing; the images stay.
    pub(super) fn without_tag(self, tag: &Tag) -> Result<Self, SavedError> {
        self.without_tag_unless(tag, |_| false)
    }

    fn without_tag_unless(
        mut self,
        tag: &Tag,
        kept: impl Fn(&SavedImage) -> bool,
    ) -> Result<Self, SavedError> {
        while let Some(image) = self.images.iter().find(|image| image.holds(tag) && !kept(image)) {
            let other = |name: &&String| split(name).is_none_or(|(_, other)| other != *tag);
            let names = image.names.iter().filter(other).cloned().collect();
            self = Self::parse(self.renamed(image, names))?;
        }
        Ok(self)
    }

    /// The text with these names for `image`.
    fn renamed(&self, image: &SavedImage, names: Vec<String>) -> String {
        let names = serde_json::Value::from(names).to_string();
        let changed = json::set(&self.text[image.at.clone()], "RepoTags", &names);
        json::replace(&self.text, &image.at, &changed)
    }
}

impl SavedImage {
    fn holds(&self, tag: &Tag) -> bool {
        self.names.iter().any(|name| split(name).is_some_and(|(_, other)| other == *tag))
    }
}

/// Name and tag of `name:tag`.
fn split(name: &str) -> Option<(&str, Tag)> {
    let (name, tag) = name.rsplit_once(':')?;
    // A tag has no slash: what stands behind the colon of a port is none.
    Some((name, tag.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().expect("a tag")
    }

    fn saved(text: &str) -> Saved {
        Saved::parse(text.to_owned()).expect("legal")
    }

    #[test]
    fn names_are_added_and_removed_and_the_rest_stays_as_written() {
        let text = r#"[{"Config":"a.json","RepoTags":["reg:5000/web:1"],"Layers":["x"],"Z": 1.0}]"#;
        let layers = [String::from("x")];
        let moved = saved(text).with_tag(("a.json", &layers), "web", &tag("2")).expect("legal");
        let expected = text.replace(r#"web:1""#, r#"web:1","web:2""#);
        assert_eq!(moved.text(), expected);
        let same = moved.with_tag(("a.json", &layers), "web", &tag("2")).expect("legal");
        assert_eq!(same.text(), expected);
        assert_eq!(same.tags().expect("one image"), [tag("1"), tag("2")].into());
        assert_eq!(same.without_tag(&tag("2")).expect("legal").text(), text);
        assert_eq!(saved(text).only_name(), Some("reg:5000/web"));
    }

    #[test]
    fn a_new_image_takes_the_tag_from_the_old() {
        let old = Saved::empty().with_tag(("a", &[]), "web", &tag("1")).expect("legal");
        assert_eq!(old.text(), r#"[{"Config":"a","Layers":[],"RepoTags":["web:1"]}]"#);
        let new = old.with_tag(("b", &[]), "web", &tag("1")).expect("legal");
        assert_eq!(new.images[0].names, [""; 0]);
        assert_eq!(new.tagged(&tag("1")).expect("one").expect("there").config, "b");
    }

    #[test]
    fn one_tag_on_two_images_is_ambiguous_but_one_image_under_two_names_is_not() {
        let two = r#"[{"Config":"a","RepoTags":["web:1"]},{"Config":"b","RepoTags":["api:1"]}]"#;
        let error = saved(two).tags().expect_err("ambiguous");
        assert_eq!(error.to_string(), "tag 1 is on several images: web:1, api:1");
        let one = saved(&two.replace(r#""b""#, r#""a""#));
        assert_eq!(one.tags().expect("one image"), [tag("1")].into());
        assert_eq!(one.only_name(), None);
    }

    #[test]
    fn what_is_no_list_of_images_is_refused() {
        for text in ["", "{}", "[1]", "[{}]", r#"[{"Config":1}]"#, r#"[{"Config":"","Layers":{}}]"#]
        {
            Saved::parse(text.to_owned()).expect_err(text);
        }
        assert_eq!(saved(r#"[{"Config":"a","RepoTags":null}]"#).images.len(), 1);
        assert!(saved("null").images.is_empty());
    }
}

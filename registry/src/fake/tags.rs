//! The tag list.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::world::World;
use crate::tag::Tag;

impl World {
    /// One page, in order, with the `Link` to the next.
    pub(super) fn list_tags(&self, call: &Call, repository: &str) -> Result<Answer, Answer> {
        if self.options.deny_tag_list {
            return Err(Answer::error(403, "DENIED", "listing tags is not allowed"));
        }
        if let Some(raw) = &self.options.tag_list_raw {
            return Ok(raw.clone());
        }
        let content = self.known(repository)?;
        let asked = match call.query.get("n").filter(|_| !self.options.ignore_page_size) {
            None => usize::MAX,
            Some(n) => n.parse().map_err(|_| {
                Answer::error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results")
            })?,
        };
        if self.options.page_size_refused && asked != usize::MAX && asked > self.options.max_page {
            let message = format!("{asked} is too high, max is {}", self.options.max_page);
            return Err(Answer::error(413, "TOO_MANY_TAGS_REQUESTED", &message));
        }
        let size = asked.min(self.options.max_page);
        let last = call.query.get("last").unwrap_or_default();
        let tags: Vec<&str> = content.tags.keys().map(Tag::as_str).collect();
        let rest = &tags[tags.partition_point(|&tag| tag <= last)..];
        let page = &rest[..size.min(rest.len())];
        let list = match self.options.tags_null_when_empty && page.is_empty() {
            true => Value::Null,
            false => json!(page),
        };
        let answer = Answer::json(200, &json!({ "name": repository, "tags": list }));
        match page.last().filter(|_| page.len() < rest.len()) {
            None => Ok(answer),
            Some(last) => {
                // Tags need no escaping in a query.
                let next = format!("/v2/{repository}/tags/list?n={size}&last={last}");
                Ok(answer.header("Link", format!(r#"<{}>; rel="next""#, self.location(&next))))
            }
        }
    }
}

#[cfg(test)]
mod tests;

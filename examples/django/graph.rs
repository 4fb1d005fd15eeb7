//! Prints what the stack of the bakery consists of, and who waits for whom. Nothing is started,
//! and no Docker is needed.
//!
//! ```text
//! cargo run -p plimsoll-examples --example django-graph
//! cargo run -p plimsoll-examples --example django-graph -- --mermaid
//! ```

mod stack;

use std::error::Error;
use std::io::{self, Write as _};

use plimsoll_harness::{DefineError, Stack as _, StackPlan};

use crate::stack::Bakery;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = plan()?;
    let text = match std::env::args().nth(1).as_deref() {
        None => plan.to_string(),
        Some("--mermaid") => plan.mermaid(),
        Some(other) => return Err(format!("`{other}` is unknown; there is `--mermaid`").into()),
    };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn plan() -> Result<StackPlan, DefineError> {
    Bakery::on("postgres:16".into(), "bakery:ci".into(), "nginx:1.27".into()).plan()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/django.md");

    #[test]
    fn the_list_has_who_is_waited_for() {
        let list = plan().unwrap().to_string();
        insta::assert_snapshot!(list, @r#"
        1. db: postgres:16
        1. socket: volume
        1. static-files: volume
        2. web: bakery:ci (after db, socket, static-files)
        3. nginx: nginx:1.27 (after socket, static-files, web)
        "#);
        assert!(DOCUMENT.contains(&format!("--example django-graph\n{list}```\n")), "{list}");
    }

    #[test]
    fn the_picture_has_an_arrow_for_each_of_them() {
        let picture = plan().unwrap().mermaid();
        insta::assert_snapshot!(picture, @r#"
        flowchart LR
            db["db<br/>postgres:16"]
            socket[("socket<br/>volume")]
            static-files[("static-files<br/>volume")]
            web["web<br/>bakery:ci"]
            nginx["nginx<br/>nginx:1.27"]
            web --> db
            web --> socket
            web --> static-files
            nginx --> socket
            nginx --> static-files
            nginx --> web
        "#);
        assert!(DOCUMENT.contains(&format!("```mermaid\n{picture}```\n")), "{picture}");
    }
}

//! A plan, drawn.

use std::fmt;

use crate::stack::{PlannedKind, PlannedNode, StackPlan};

/// One line for each node: its wave, its name, what it is, what it waits for.
impl fmt::Display for StackPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PlannedNode { name, kind, dependencies, wave } in &self.nodes {
            write!(f, "{}. {name}: {kind}", wave + 1)?;
            if !dependencies.is_empty() {
                write!(f, " (after {})", dependencies.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for PlannedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(definition) => f.write_str(definition.image.name()),
            Self::Testcontainers { image, .. } => f.write_str(image),
            Self::Volume(_) => f.write_str("volume"),
            Self::Network(_) => f.write_str("network"),
        }
    }
}

impl StackPlan {
    /// The plan as a Mermaid flowchart, which code forges draw in a comment or a README. Arrows
    /// lead from a node to those it needs.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for PlannedNode { name, kind, .. } in &self.nodes {
            let (open, close) = match kind {
                PlannedKind::Container(_) | PlannedKind::Testcontainers { .. } => ("[", "]"),
                PlannedKind::Volume(_) => ("[(", ")]"),
                PlannedKind::Network(_) => ("([", "])"),
            };
            text += &format!("    {name}{open}\"{name}<br/>{kind}\"{close}\n");
        }
        for PlannedNode { name, dependencies, .. } in &self.nodes {
            for needed in dependencies {
                text += &format!("    {name} --> {needed}\n");
            }
        }
        text
    }
}

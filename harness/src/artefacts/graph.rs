//! The nodes and what they need, as a picture.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::evidence::{Evidence, NodeEvidence};
use super::markup::text;

const WIDTH: usize = 190;
const HEIGHT: usize = 48;
const COLUMN: usize = 260;
const ROW: usize = 68;
const MARGIN: usize = 10;
/// What fits into a box, in characters.
const FITS: usize = 27;

/// A column for each wave; an arrow leads from a node to what it needs.
pub(super) fn graph(evidence: &Evidence) -> String {
    let nodes = &evidence.nodes;
    let columns = nodes.iter().map(|node| node.wave + 1).max().unwrap_or_default();
    let mut rows = vec![0; columns];
    let mut places = HashMap::new();
    for node in nodes {
        places.insert(node.name.as_str(), (node.wave, rows[node.wave]));
        rows[node.wave] += 1;
    }
    let tallest = rows.iter().copied().max().unwrap_or_default();
    // Columns that are not as tall as the others are in the middle.
    let at = |(column, row): (usize, usize)| {
        let top = (tallest - rows[column]) * ROW / 2;
        (MARGIN + column * COLUMN, MARGIN + top + row * ROW)
    };
    let (width, height) = (
        2 * MARGIN + columns.saturating_sub(1) * COLUMN + WIDTH,
        2 * MARGIN + tallest.saturating_sub(1) * ROW + HEIGHT,
    );
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"what needs what\">\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
    );
    for node in nodes {
        let (from_x, from_y) = at(places[node.name.as_str()]);
        for needed in &node.dependencies {
            let Some(place) = places.get(needed.as_str()) else { continue };
            let (to_x, to_y) = at(*place);
            let (from_y, to_x, to_y) = (from_y + HEIGHT / 2, to_x + WIDTH + 2, to_y + HEIGHT / 2);
            let bend = from_x.saturating_sub(to_x) / 2;
            let _ = writeln!(
                svg,
                "<path class=\"edge\" d=\"M{from_x} {from_y}C{} {from_y} {} {to_y} {to_x} {to_y}\" \
                 marker-end=\"url(#arrow)\"/>",
                from_x - bend,
                to_x + bend,
            );
        }
    }
    for node in nodes {
        let (x, y) = at(places[node.name.as_str()]);
        let _ = writeln!(svg, "{}", shape(node, x, y));
    }
    svg + "</svg>\n"
}

fn shape(node: &NodeEvidence, x: usize, y: usize) -> String {
    let middle = x + WIDTH / 2;
    format!(
        "<a href=\"#node-{name}\"><g class=\"node {class}\"><title>{title}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{middle}\" y=\"{}\">{}</text>\
         <text class=\"what\" x=\"{middle}\" y=\"{}\">{}</text></g></a>",
        y + 20,
        text(&short(&node.name)),
        y + 37,
        text(&short(&node.what)),
        name = text(&node.name),
        class = node.status.class(),
        title = text(&node.what),
    )
}

/// What is left of an image's name is its end, where the tag is.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= FITS {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - FITS + 1).collect();
    format!("…{end}")
}

//! When each node began, ran and was ready, as a picture.

use std::fmt::Write as _;
use std::time::Duration;

use super::evidence::{Evidence, NodeEvidence, Status};
use super::markup::text;
use crate::record::Moment;

const LABEL: f64 = 150.0;
const CHART: f64 = 640.0;
/// For the last number of the axis, and a bar's time behind the bar.
const RIGHT: f64 = 80.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;
const AXIS: f64 = 24.0;

/// A bar for each node that was begun: light while its container was made, full while it got
/// ready.
pub(super) fn gantt(evidence: &Evidence) -> String {
    let begun: Vec<_> = evidence.nodes.iter().filter(|node| !node.moments.is_empty()).collect();
    let end = begun.iter().filter_map(|node| Some(node.moments.last()?.1)).max();
    let end = end.unwrap_or_default().max(Duration::from_millis(1));
    let scale = CHART / end.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "nobody starts 2⁵² containers")]
    let height = AXIS + ROW * begun.len() as f64 + 6.0;
    let width = LABEL + CHART + RIGHT;
    let mut svg = format!(
        "<svg class=\"gantt\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"start-up over time\">\n"
    );
    for tick in ticks(end) {
        let x = LABEL + tick * scale;
        let _ = writeln!(
            svg,
            "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{AXIS}\" x2=\"{x:.1}\" y2=\"{height}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"16\">{}</text>",
            seconds(tick)
        );
    }
    let mut y = AXIS + 4.0;
    for node in begun {
        bars(&mut svg, node, y, scale);
        y += ROW;
    }
    svg + "</svg>\n"
}

fn bars(svg: &mut String, node: &NodeEvidence, y: f64, scale: f64) {
    let at = |moment| {
        let found = node.moments.iter().find(|(other, _)| *other == moment);
        found.map(|(_, after)| after.as_secs_f64())
    };
    let begin = at(Moment::Begun).unwrap_or_default();
    let last = node.moments.last().map_or(begin, |(_, after)| after.as_secs_f64());
    let running = at(Moment::Running).unwrap_or(last);
    let bar = |class: &str, from: f64, to: f64| {
        // What took no time is there all the same.
        let width = ((to - from) * scale).max(1.5);
        format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"{BAR}\" rx=\"2\"/>",
            LABEL + from * scale
        )
    };
    let end = match node.status {
        Status::Failed(_) => "failed",
        Status::GivenUp => "given up",
        Status::NotStarted | Status::Ready | Status::Exited(_) => "ready",
    };
    let _ = write!(
        svg,
        "<g class=\"bar {class}\"><title>{name}: {end} after {took}, of which {made} until it ran\
         </title><text class=\"name\" x=\"{}\" y=\"{text_y}\">{name}</text>{}",
        LABEL - 8.0,
        bar("made", begin, running),
        class = node.status.class(),
        name = text(&node.name),
        took = seconds(last - begin),
        made = seconds(running - begin),
        text_y = y + 12.5,
    );
    if running < last {
        *svg += &bar("waited", running, last);
    }
    let _ = writeln!(
        svg,
        "<text class=\"took\" x=\"{:.1}\" y=\"{}\">{}</text></g>",
        LABEL + last * scale + 6.0,
        y + 12.5,
        seconds(last - begin)
    );
}

/// Round numbers of seconds, not more than ten of them.
fn ticks(end: Duration) -> Vec<f64> {
    let end = end.as_secs_f64();
    let mut step = 0.001;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if end / step <= 10.0 {
            break;
        }
        step *= factor;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most ten")]
    let count = (end / step) as u32;
    (0..=count).map(|number| f64::from(number) * step).collect()
}

/// A time as people say it.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    let text = format!("{seconds:.2}");
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let texts = |millis| -> Vec<_> {
            ticks(Duration::from_millis(millis)).into_iter().map(seconds).collect()
        };
        assert_eq!(texts(7), ["0", "1 ms", "2 ms", "3 ms", "4 ms", "5 ms", "6 ms", "7 ms"]);
        assert_eq!(texts(2600), ["0", "500 ms", "1 s", "1.5 s", "2 s", "2.5 s"]);
        assert_eq!(texts(70_000).last().unwrap(), "70 s");
        for millis in [1, 9, 11, 99, 101, 12_345, 600_000] {
            assert!((2..=11).contains(&texts(millis).len()), "{millis}: {:?}", texts(millis));
        }
    }
}

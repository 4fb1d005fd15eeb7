//! Who waits for whom.

use std::collections::{BTreeMap, BTreeSet};

/// For each node the nodes it needs. All of these are nodes themselves.
pub(crate) type Needs = BTreeMap<String, BTreeSet<String>>;

/// The wave each node starts in, from 0: one after the last of those it needs. Or a cycle, as
/// the nodes on the way with the first one again at the end.
pub(crate) fn waves(needs: &Needs) -> Result<BTreeMap<String, usize>, Vec<String>> {
    let mut waves = BTreeMap::<String, usize>::new();
    while waves.len() < needs.len() {
        let next: Vec<_> = needs
            .iter()
            .filter(|(name, _)| !waves.contains_key(*name))
            .filter_map(|(name, needed)| {
                let after = needed.iter().map(|other| waves.get(other).map(|wave| wave + 1));
                let wave = after.collect::<Option<Vec<_>>>()?.into_iter().max();
                Some((name.clone(), wave.unwrap_or_default()))
            })
            .collect();
        if next.is_empty() {
            return Err(cycle(needs, &waves));
        }
        waves.extend(next);
    }
    Ok(waves)
}

/// Those that need a node, directly or not.
pub(crate) fn dependents(needs: &Needs, node: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([node.to_owned()]);
    loop {
        let more = needs.iter().filter(|(_, needed)| !needed.is_disjoint(&found));
        let more: Vec<_> = more.map(|(name, _)| name.clone()).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            found.remove(node);
            return found;
        }
    }
}

/// Every node without a wave needs another without one: going on leads back.
fn cycle(needs: &Needs, waves: &BTreeMap<String, usize>) -> Vec<String> {
    let stuck = |name: &&String| !waves.contains_key(*name);
    let mut path = Vec::<String>::new();
    let mut next = needs.keys().find(stuck).cloned();
    while let Some(name) = next {
        if let Some(begin) = path.iter().position(|before| *before == name) {
            path.drain(..begin);
            path.push(name);
            break;
        }
        next = needs[&name].iter().find(stuck).cloned();
        path.push(name);
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Edges between up to twelve nodes, in any direction: most graphs have a cycle, those
    /// without edges back do not.
    fn graph(forward_only: bool) -> impl Strategy<Value = Needs> {
        proptest::collection::vec((0..12_usize, 0..12_usize), 0..30).prop_map(move |edges| {
            let name = |node: usize| format!("n{node:02}");
            let mut needs: Needs = (0..12).map(|node| (name(node), BTreeSet::new())).collect();
            for (a, b) in edges {
                let (from, to) = if forward_only { (a.max(b), a.min(b)) } else { (a, b) };
                if !(forward_only && from == to) {
                    needs.entry(name(from)).or_default().insert(name(to));
                }
            }
            needs
        })
    }

    proptest! {
        #[test]
        fn a_wave_is_one_after_the_last_needed(needs in graph(true)) {
            let waves = waves(&needs).unwrap();
            for (name, needed) in &needs {
                let expected = needed.iter().map(|other| waves[other] + 1).max().unwrap_or(0);
                prop_assert_eq!(waves[name], expected);
            }
        }

        #[test]
        fn what_has_no_waves_has_a_cycle_that_is_one(needs in graph(false)) {
            match waves(&needs) {
                Ok(waves) => for (name, needed) in &needs {
                    prop_assert!(needed.iter().all(|other| waves[other] < waves[name]));
                },
                Err(path) => {
                    prop_assert!(path.len() > 1);
                    prop_assert_eq!(path.first(), path.last());
                    for step in path.windows(2) {
                        prop_assert!(needs[&step[0]].contains(&step[1]));
                    }
                    let once: BTreeSet<_> = path[1..].iter().collect();
                    prop_assert_eq!(once.len(), path.len() - 1);
                }
            }
        }

        #[test]
        fn dependents_are_those_a_path_leads_from(needs in graph(false), node in 0..12_usize) {
            let node = format!("n{node:02}");
            let found = dependents(&needs, &node);
            prop_assert!(!found.contains(&node));
            for (name, needed) in &needs {
                let leads = needed.contains(&node) || !needed.is_disjoint(&found);
                prop_assert_eq!(found.contains(name), leads && *name != node);
            }
        }
    }
}

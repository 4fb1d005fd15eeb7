//! Which of what is expected is which of what was found, where the order says nothing.

/// Gives each expected thing a found one of its own that fits, for as many as can be had; the
/// first fit would let a general expectation take what a particular one needs.
///
/// For each expected thing the index of its partner.
pub(crate) fn pair(
    expected: usize,
    found: usize,
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    let mut owners = vec![None; found];
    for one in 0..expected {
        let mut asked = vec![false; found];
        place(one, &fits, &mut asked, &mut owners);
    }
    let mut partners = vec![None; expected];
    for (index, owner) in owners.into_iter().enumerate() {
        if let Some(owner) = owner {
            partners[owner] = Some(index);
        }
    }
    partners
}

/// Finds room for one: a free partner, or that of another which has an alternative.
fn place(
    one: usize,
    fits: &impl Fn(usize, usize) -> bool,
    asked: &mut [bool],
    owners: &mut [Option<usize>],
) -> bool {
    for candidate in 0..owners.len() {
        if asked[candidate] || !fits(one, candidate) {
            continue;
        }
        asked[candidate] = true;
        if owners[candidate].is_none_or(|owner| place(owner, fits, asked, owners)) {
            owners[candidate] = Some(one);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_general_one_gives_way_to_a_particular_one() {
        let fits = |expected: usize, found: usize| expected == 0 || found == 0;
        assert_eq!(pair(2, 2, fits), [Some(1), Some(0)]);
    }

    /// The most pairs there can be, by trying everything.
    fn most(table: &[Vec<bool>], expected: usize, taken: &mut Vec<bool>) -> usize {
        let Some(row) = table.get(expected) else { return 0 };
        let mut best = most(table, expected + 1, taken);
        for found in 0..row.len() {
            if row[found] && !taken[found] {
                taken[found] = true;
                best = best.max(1 + most(table, expected + 1, taken));
                taken[found] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn as_many_are_paired_as_can_be(
            table in (0_usize..6).prop_flat_map(|width| {
                prop::collection::vec(prop::collection::vec(any::<bool>(), width), 0..6)
            }),
        ) {
            let width = table.first().map_or(0, Vec::len);
            let pairs = pair(table.len(), width, |expected, found| table[expected][found]);
            let mut partners: Vec<_> = pairs.iter().flatten().collect();
            let paired = partners.len();
            partners.sort();
            partners.dedup();
            prop_assert_eq!(partners.len(), paired);
            for (expected, found) in pairs.iter().enumerate() {
                prop_assert!(found.is_none_or(|found| table[expected][found]));
            }
            prop_assert_eq!(paired, most(&table, 0, &mut vec![false; width]));
        }
    }
}

//! Which line goes to which pattern, so that as many patterns as possible get one.

/// A maximum bipartite matching that grows line by line.
///
/// First come, first served would let a general pattern take the only line a specific one
/// matches. Here a new line may push earlier ones to other patterns they match as well (an
/// augmenting path). A line for which no such path exists can be forgotten: the sets of lines
/// that can be placed together are a transversal matroid, and what depends on the lines so far
/// still does when there are more.
#[derive(Clone, Debug)]
pub(crate) struct Assignment<T> {
    /// What each slot has, as an index of `placed`.
    slots: Vec<Option<usize>>,
    placed: Vec<Placed<T>>,
}

#[derive(Clone, Debug)]
struct Placed<T> {
    line: T,
    fits: Vec<usize>,
}

impl<T> Assignment<T> {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots: vec![None; slots], placed: Vec::new() }
    }

    /// Finds a place for a line that fits the slots; says whether there is one.
    pub(crate) fn place(&mut self, line: T, fits: Vec<usize>) -> bool {
        let new = self.placed.len();
        self.placed.push(Placed { line, fits });
        let placed = self.augment(new);
        if !placed {
            self.placed.pop();
        }
        placed
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.placed.len() == self.slots.len()
    }

    /// What the slot has.
    pub(crate) fn get(&self, slot: usize) -> Option<&T> {
        self.slots[slot].map(|at| &self.placed[at].line)
    }

    /// Looks breadth first for a chain of moves that ends at a free slot, and makes them.
    fn augment(&mut self, new: usize) -> bool {
        // Which line wants the slot, for each slot that has been reached.
        let mut wanted_by: Vec<Option<usize>> = vec![None; self.slots.len()];
        let mut queue = vec![new];
        let mut next = 0;
        while let Some(&line) = queue.get(next) {
            next += 1;
            for &slot in &self.placed[line].fits {
                if wanted_by[slot].is_some() {
                    continue;
                }
                wanted_by[slot] = Some(line);
                match self.slots[slot] {
                    Some(owner) => queue.push(owner),
                    None => {
                        self.move_along(slot, new, &wanted_by);
                        return true;
                    }
                }
            }
        }
        false
    }

    fn move_along(&mut self, free: usize, new: usize, wanted_by: &[Option<usize>]) {
        let mut slot = free;
        while let Some(line) = wanted_by[slot] {
            let left = self.slots.iter().position(|owner| *owner == Some(line));
            self.slots[slot] = Some(line);
            match left {
                Some(left) if line != new => slot = left,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_general_pattern_gives_way_to_a_specific_one() {
        let mut assignment = Assignment::new(3);
        // The general slot 0 is taken first, then again, then the only line for slot 1 comes.
        assert!(assignment.place("a", vec![0, 1]));
        assert!(assignment.place("b", vec![0, 2]));
        assert!(!assignment.is_complete());
        assert!(assignment.place("c", vec![0]));
        assert!(assignment.is_complete());
        let places: Vec<_> = (0..3).map(|slot| *assignment.get(slot).unwrap()).collect();
        assert_eq!(places, ["c", "a", "b"]);
    }

    #[test]
    fn a_line_without_a_place_is_forgotten() {
        let mut assignment = Assignment::new(2);
        assert!(assignment.place("a", vec![0]));
        assert!(!assignment.place("b", vec![0]));
        assert!(!assignment.place("c", vec![]));
        assert_eq!((assignment.get(0), assignment.get(1)), (Some(&"a"), None));
    }
}

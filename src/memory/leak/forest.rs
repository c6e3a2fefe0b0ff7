//! Many small trees that vote.

/// A node of a tree. Nodes lie in the order in which a tree is walked, lower figures first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Which figure it asks for; [`LEAF`] where it asks nothing.
    pub figure: u8,
    /// How far behind this node the one is that follows a figure above the bound; any other is
    /// followed by the next.
    pub above: u8,
    /// The bound of the figure, or the vote of a leaf: the upper half of the bits of a float.
    half: u16,
}

impl Node {
    /// A node with the nearest value that half of a float can hold. Two or three digits are more than the looks
    /// that a tree was grown on can tell apart, and a node is four bytes rather than eight.
    pub const fn new(figure: u8, above: u8, value: f32) -> Self {
        let half = (value.to_bits() + 0x8000) >> 16;
        Self { figure, above, half: half as u16 }
    }

    fn value(self) -> f32 {
        f32::from_bits(u32::from(self.half) << 16)
    }
}

/// The mark of a node that is a vote.
pub const LEAF: u8 = u8::MAX;

/// Figures that trees can ask for at most.
const MOST: usize = 64;

/// The sum of what all trees vote.
pub fn votes<const N: usize>(trees: &[[Node; N]], figures: &[f64]) -> f64 {
    let mut asked = [0.0; MOST];
    asked.iter_mut().zip(figures).for_each(|(asked, figure)| *asked = *figure as f32);
    trees.iter().map(|tree| f64::from(vote(tree, &asked))).sum()
}

fn vote(tree: &[Node], figures: &[f32; MOST]) -> f32 {
    let mut at = 0;
    loop {
        let node = tree[at];
        if node.figure == LEAF {
            return node.value();
        }
        // The remainder spares a check of the bounds in what is most of the rule's time.
        let is_above = figures[usize::from(node.figure) % MOST] > node.value();
        at += if is_above { usize::from(node.above) } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tree_votes_by_the_figures_that_it_asks_for() {
        let (asks, leaf) = (Node::new, |value| Node::new(LEAF, 0, value));
        let first = [asks(1, 4, 0.5), asks(0, 2, 7.0), leaf(1.0), leaf(2.0), leaf(4.0)];
        let trees = [first, [leaf(0.25); 5]];
        let by = |figures: [f64; 2]| votes(&trees, &figures);
        assert_eq!(by([7.0, 0.5]), 1.25, "neither is above its bound");
        assert_eq!(by([7.5, 0.0]), 2.25);
        assert_eq!(by([0.0, 0.6]), 4.25);
    }

    #[test]
    fn values_are_kept_to_one_part_in_256() {
        assert_eq!(size_of::<Node>(), 4);
        for value in [0.0, 1.0, -0.0037463529, 380.0, 0.99, -14.814809, 1e-35] {
            let kept = Node::new(0, 0, value).value();
            assert!((kept - value).abs() <= value.abs() / 256.0, "{value} became {kept}");
        }
        assert!(
            Node::new(0, 0, 1.0 - f32::EPSILON).value() == 1.0,
            "the nearest, not the next below"
        );
    }
}

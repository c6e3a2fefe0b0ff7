//! Many small trees that vote.

/// A node of a tree. Nodes lie in the order in which a tree is walked, lower figures first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Which figure it asks for; [`LEAF`] where it asks nothing.
    pub figure: u8,
    /// How far behind this node the one is that follows a figure above the bound; any other is
    /// followed by the next. In the first node of a tree that is one leaf only, 0.
    pub above: u8,
    /// The bound of the figure, or the vote of a leaf.
    pub value: f32,
}

/// The mark of a node that is a vote.
pub const LEAF: u8 = u8::MAX;

/// The sum of what all trees vote. `sizes` says how many nodes each has.
pub fn votes(sizes: &[u8], nodes: &[Node], figures: &[f64]) -> f64 {
    let (mut sum, mut rest) = (0.0, nodes);
    for size in sizes {
        let (tree, others) = rest.split_at(usize::from(*size));
        sum += vote(tree, figures);
        rest = others;
    }
    sum
}

fn vote(tree: &[Node], figures: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        let node = tree[at];
        if node.figure == LEAF {
            return f64::from(node.value);
        }
        let is_above = figures[usize::from(node.figure)] > f64::from(node.value);
        at += if is_above { usize::from(node.above) } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tree_votes_by_the_figures_that_it_asks_for() {
        let asks = |figure, above, value| Node { figure, above, value };
        let leaf = |value| Node { figure: LEAF, above: 0, value };
        let nodes = [asks(1, 4, 0.5), asks(0, 2, 7.0), leaf(1.0), leaf(2.0), leaf(4.0), leaf(0.25)];
        let by = |figures: [f64; 2]| votes(&[5, 1], &nodes, &figures);
        assert_eq!(by([7.0, 0.5]), 1.25, "neither is above its bound");
        assert_eq!(by([7.5, 0.0]), 2.25);
        assert_eq!(by([0.0, 0.6]), 4.25);
    }
}

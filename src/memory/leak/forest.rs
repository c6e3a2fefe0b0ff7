//! Many small trees that vote.
//!
//! Walking down a tree is a jump at each question that no processor can foresee. So they are not walked: every figure
//! goes through the questions of all trees that ask for it, lowest bounds first and no further than it lies above them,
//! and each such question crosses out the leaves on its low side. Of what is left of a tree, the first leaf is its vote
//! (`QuickScorer`: Lucchese and others, SIGIR 2015). A question costs a step without a jump.

/// A node of a tree as it was grown. Nodes lie in the order in which a tree is walked, lower figures first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Which figure it asks for; [`LEAF`] where it asks nothing.
    figure: u8,
    /// How far behind this node the one is that follows a figure above the bound; any other is
    /// followed by the next.
    above: u8,
    /// The bound of the figure, or the vote of a leaf.
    value: Half,
}

impl Node {
    /// A node with the nearest value that [`Half`] of a float can hold.
    pub const fn new(figure: u8, above: u8, value: f32) -> Self {
        Self { figure, above, value: Half::of(value) }
    }
}

/// The upper half of the bits of a float. Two or three digits are more than the looks that a tree was grown on can tell
/// apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Half(u16);

impl Half {
    const fn of(value: f32) -> Self {
        Self(((value.to_bits() + 0x8000) >> 16) as u16)
    }

    const fn value(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }

    /// Its place among all others: a number that is larger, the larger the value is.
    const fn place(self) -> u16 {
        if self.0 >> 15 == 1 { !self.0 } else { self.0 | 1 << 15 }
    }
}

/// The mark of a node that is a vote.
pub const LEAF: u8 = u8::MAX;

/// Figures that trees can ask for at most.
const MOST: usize = 64;

/// A question, once trees are laid out by figure.
#[derive(Clone, Copy, Debug)]
struct Question {
    bound: Half,
    tree: u16,
    /// The leaves of the tree that are still possible if the figure lies above the bound, the first in the lowest bit.
    left: u32,
}

/// Trees, laid out to be asked all at once. A `const` lays them out, so that the program holds nothing else of them.
#[derive(Debug)]
pub struct Forest<const QUESTIONS: usize, const TREES: usize, const LEAVES: usize> {
    /// By figure, and those of one figure by their bounds, lowest first.
    questions: [Question; QUESTIONS],
    /// Where those of each figure begin.
    begins: [u16; MOST + 1],
    votes: [[Half; LEAVES]; TREES],
}

/// How many questions some trees ask.
pub const fn questions<const NODES: usize, const TREES: usize>(
    grown: &[[Node; NODES]; TREES],
) -> usize {
    let (mut count, mut tree) = (0, 0);
    while tree < TREES {
        count += Known::of(&grown[tree]).end / 2;
        tree += 1;
    }
    count
}

/// The most leaves that a tree of so many nodes has: one more than questions.
pub const fn leaves(nodes: usize) -> usize {
    nodes.div_ceil(2)
}

/// What is known of a tree.
struct Known<const NODES: usize> {
    /// How many leaves lie before each node, and the one after the last.
    before: [u8; NODES],
    /// How many nodes belong to it: it is whole with one leaf more than questions, and what follows fills its row.
    end: usize,
}

impl<const NODES: usize> Known<NODES> {
    const fn of(tree: &[Node; NODES]) -> Self {
        let (mut before, mut leaves, mut end) = ([0; NODES], 0, 0);
        while 2 * (leaves as usize) <= end {
            before[end] = leaves;
            leaves += (tree[end].figure == LEAF) as u8;
            end += 1;
        }
        Self { before, end }
    }
}

impl<const QUESTIONS: usize, const TREES: usize, const LEAVES: usize>
    Forest<QUESTIONS, TREES, LEAVES>
{
    /// Lays out trees as they were grown.
    pub const fn of<const NODES: usize>(grown: &[[Node; NODES]; TREES]) -> Self {
        assert!(LEAVES <= u32::BITS as usize && TREES <= u16::MAX as usize);
        let mut votes = [[Half(0); LEAVES]; TREES];
        let mut asked = [Question { bound: Half(0), tree: 0, left: 0 }; QUESTIONS];
        let mut order = [0; QUESTIONS];
        let (mut count, mut tree) = (0, 0);
        while tree < TREES {
            let (nodes, known) = (&grown[tree], Known::of(&grown[tree]));
            let mut at = 0;
            while at < known.end {
                let (node, leaf) = (nodes[at], known.before[at]);
                if node.figure == LEAF {
                    votes[tree][leaf as usize] = node.value;
                } else {
                    let above = known.before[at + node.above as usize];
                    let left = !(((1 << (above - leaf)) - 1) << leaf);
                    asked[count] = Question { bound: node.value, tree: tree as u16, left };
                    order[count] = Order::of(node, count);
                    count += 1;
                }
                at += 1;
            }
            tree += 1;
        }
        let order = sorted(order);
        Self { questions: laid_out(&asked, &order), begins: begins(&order), votes }
    }

    /// The sum of what all trees vote.
    pub fn votes(&self, figures: &[f64]) -> f64 {
        let mut left = [u32::MAX; TREES];
        for (figure, place) in figures.iter().zip(self.begins.windows(2)) {
            let figure = *figure as f32;
            let asked = &self.questions[usize::from(place[0])..usize::from(place[1])];
            for question in asked.iter().take_while(|one| figure > one.bound.value()) {
                left[usize::from(question.tree)] &= question.left;
            }
        }
        let voted = left.iter().zip(&self.votes);
        voted.map(|(left, votes)| f64::from(votes[left.trailing_zeros() as usize].value())).sum()
    }
}

/// Where a question belongs, as a number: its figure, its bound, and which one it is.
struct Order;

impl Order {
    const fn of(node: Node, nth: usize) -> u64 {
        (node.figure as u64) << 48 | (node.value.place() as u64) << 32 | nth as u64
    }

    const fn figure(order: u64) -> usize {
        (order >> 48) as usize
    }

    const fn nth(order: u64) -> usize {
        order as u32 as usize
    }
}

/// Shell's sort (1959), which is short: the compiler does this, and the standard library's it cannot.
const fn sorted<const COUNT: usize>(mut order: [u64; COUNT]) -> [u64; COUNT] {
    let mut gap = COUNT / 2;
    while gap > 0 {
        let mut nth = gap;
        while nth < COUNT {
            let (taken, mut at) = (order[nth], nth);
            while at >= gap && taken < order[at - gap] {
                order[at] = order[at - gap];
                at -= gap;
            }
            order[at] = taken;
            nth += 1;
        }
        gap = if gap == 2 { 1 } else { gap * 5 / 11 };
    }
    order
}

const fn laid_out<const COUNT: usize>(
    asked: &[Question; COUNT],
    order: &[u64; COUNT],
) -> [Question; COUNT] {
    let (mut found, mut nth) = (*asked, 0);
    while nth < COUNT {
        found[nth] = asked[Order::nth(order[nth])];
        nth += 1;
    }
    found
}

/// Where the questions of each figure begin.
const fn begins<const COUNT: usize>(order: &[u64; COUNT]) -> [u16; MOST + 1] {
    assert!(COUNT <= u16::MAX as usize);
    let mut found = [0; MOST + 1];
    let (mut figure, mut nth) = (0, 0);
    while figure <= MOST {
        while nth < COUNT && Order::figure(order[nth]) < figure {
            nth += 1;
        }
        found[figure] = nth as u16;
        figure += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn asks(figure: u8, above: u8, bound: f32) -> Node {
        Node::new(figure, above, bound)
    }

    const fn votes(value: f32) -> Node {
        Node::new(LEAF, 0, value)
    }

    /// A tree of two questions and one that is a leaf alone, its row filled.
    const TWO: [[Node; 5]; 2] =
        [[asks(1, 4, 0.5), asks(0, 2, 7.0), votes(1.0), votes(2.0), votes(4.0)], [votes(0.25); 5]];

    #[test]
    fn each_tree_votes_by_the_figures_that_it_asks_for() {
        static FOREST: Forest<{ questions(&TWO) }, 2, 3> = Forest::of(&TWO);
        let by = |figures: [f64; 2]| FOREST.votes(&figures);
        assert_eq!(by([7.0, 0.5]), 1.25, "neither is above its bound");
        assert_eq!(by([7.5, 0.0]), 2.25);
        assert_eq!(by([0.0, 0.6]), 4.25);
        assert_eq!(by([f64::NAN, f64::NAN]), 1.25, "what is no number is above nothing");
    }

    #[test]
    fn what_is_laid_out_votes_as_the_trees_that_were_walked() {
        let (grown, figures) = (grown(), |nth: usize| -> [f64; 6] {
            std::array::from_fn(|figure| f64::from(mixed(nth * 7 + figure) % 41) / 4.0 - 5.0)
        });
        let forest: Forest<{ 40 * 31 }, 40, 32> = Forest::of(&grown);
        for nth in 0..2000 {
            let asked = figures(nth);
            let walked: f64 = grown.iter().map(|tree| walk(tree, &asked)).sum();
            assert_eq!(forest.votes(&asked), walked, "{asked:?}");
        }
    }

    fn mixed(nth: usize) -> u32 {
        (nth as u32).wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(0x85eb_ca6b) >> 8
    }

    /// Trees of all forms, with bounds that are alike in many.
    fn grown() -> [[Node; 63]; 40] {
        std::array::from_fn(|tree| {
            let mut nodes = Vec::new();
            grow(&mut nodes, tree, 32);
            std::array::from_fn(|at| nodes[at])
        })
    }

    fn grow(nodes: &mut Vec<Node>, seed: usize, leaves: usize) {
        let place = nodes.len();
        let drawn = mixed(seed * 1009 + place);
        if leaves == 1 {
            return nodes.push(votes(drawn as f32 / 1e6));
        }
        nodes.push(votes(0.0));
        let low = 1 + drawn as usize % (leaves - 1);
        grow(nodes, seed, low);
        let above = (nodes.len() - place) as u8;
        nodes[place] = asks((drawn % 6) as u8, above, (drawn / 64 % 41) as f32 / 4.0 - 5.0);
        grow(nodes, seed, leaves - low);
    }

    fn walk(tree: &[Node], figures: &[f64; 6]) -> f64 {
        let mut at = 0;
        while tree[at].figure != LEAF {
            let node = tree[at];
            let is_above = figures[usize::from(node.figure)] as f32 > node.value.value();
            at += if is_above { usize::from(node.above) } else { 1 };
        }
        f64::from(tree[at].value.value())
    }

    #[test]
    fn values_are_kept_to_one_part_in_256() {
        for value in [0.0, 1.0, -0.0037463529, 380.0, 0.99, -14.814809, 1e-35] {
            let kept = Half::of(value).value();
            assert!((kept - value).abs() <= value.abs() / 256.0, "{value} became {kept}");
        }
        assert!(Half::of(1.0 - f32::EPSILON).value() == 1.0, "the nearest, not the next below");
    }
}

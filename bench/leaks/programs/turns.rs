//! Programs in Rust that need no load: `turns KIND`, 20 turns a second. `cycles` leaks.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

struct Node {
    _body: Vec<u8>,
    peer: RefCell<Option<Rc<Node>>>,
}

fn main() {
    let kind = std::env::args().nth(1).expect("a kind");
    let mut ring = VecDeque::new();
    let mut seed = 7_usize;
    for turn in 0.. {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let size = 4_000 + (seed >> 33) % 24_000;
        let scratch: Vec<Vec<u8>> = (0..size / 100).map(|i| vec![1; i * 40]).collect();
        // At most 1,500 bodies: full after 75 s.
        if kind == "ring" {
            ring.push_back(vec![1_u8; size * 3]);
            if ring.len() > 1_500 {
                ring.pop_front();
            }
        }
        // For six of 20 s each request leaves two nodes that hold each other.
        if kind == "cycles" && turn % 400 < 120 {
            let one = Rc::new(Node { _body: vec![1; size * 2], peer: RefCell::default() });
            let other = Rc::new(Node { _body: vec![1; size], peer: RefCell::new(Some(one.clone())) });
            *one.peer.borrow_mut() = Some(other);
        }
        drop(scratch);
        std::thread::sleep(Duration::from_millis(50));
    }
}

//! Programs in Rust that need no load: `turns KIND`, 20 turns a second. `cycles` and `backlog` leak.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

struct Node {
    _body: Vec<u8>,
    peer: RefCell<Option<Rc<Node>>>,
}

fn main() {
    let kind = std::env::args().nth(1).expect("a kind");
    let mut ring = VecDeque::new();
    let (send, receive) = mpsc::channel::<Vec<u8>>();
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
        // From a third of the time on every other message waits for a receiver that is too slow.
        if kind == "backlog" {
            send.send(vec![1; size * 2]).expect("a receiver");
            if turn < 1_200 || turn % 2 == 0 {
                drop(receive.recv());
            }
        }
        drop(scratch);
        std::thread::sleep(Duration::from_millis(50));
    }
}

//! A small HTTP listener on a thread of its own: the far end of a webhook, or an exporter that
//! shows a fixed page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Answers every request with one page and keeps what was posted.
pub struct Listener {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<String>>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Answers with an empty page.
    pub fn webhook() -> Self {
        Self::page(String::new())
    }

    /// Answers with `page`, in Prometheus' text format.
    pub fn page(page: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (posted, closing) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (store, close) = (Arc::clone(&posted), Arc::clone(&closing));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if close.load(Ordering::SeqCst) {
                    return;
                }
                let _ = answer(stream, &page, &store);
            }
        });
        Self { address, posted, closing, thread: Some(thread) }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bodies that were posted, in their order.
    pub fn posted(&self) -> Vec<String> {
        self.posted.lock().expect("nobody panicked with it").clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread from its wait for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads one request and closes after the answer.
fn answer(mut stream: TcpStream, page: &str, posted: &Mutex<Vec<String>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if length > 0 {
        let body = String::from_utf8_lossy(&body).into_owned();
        posted.lock().expect("nobody panicked with it").push(body);
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len(),
    )
}

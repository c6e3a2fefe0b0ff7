//! The unix socket: for its owner alone from its first moment, put in the place of a stale one but
//! never of one that answers, and gone when we are.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use super::Desk;
use super::door::{self, CONNECTIONS, Pass};
use super::peers::{self, Peer, Place};
use super::problem::Problem;
use super::role::{Caller, Role, Who};
use crate::serve::connections::{Connections, Engaged};

/// How long somebody waits who descends from us and is in no run that is known: the picture that
/// shows a run comes a moment after the run.
const PATIENCE: Duration = Duration::from_millis(500);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Listens at `path` until we are to stop, and anew where somebody removed it.
pub(super) async fn serve(path: PathBuf, desk: &Arc<Desk>) {
    let shown = path.display().to_string();
    let mut connections = Connections::default();
    loop {
        let opened = tokio::select! {
            opened = door::open(&shown, || open(&path)) => opened,
            () = desk.told_to_stop() => break,
        };
        tracing::info!(target: "control", "taking orders at {shown}");
        if take(&opened, desk, &mut connections).await == Closed::ByUs {
            break;
        }
        tracing::warn!(
            target: "control",
            "the socket {shown} is gone, or another one: somebody removed it; it is made again"
        );
    }
    connections.drain().await;
}

/// Why nobody comes in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// We are to stop.
    ByUs,
    /// The socket is not where it was.
    ByOthers,
}

/// Lets in whoever comes, until we are to stop or nobody can come any more. That is looked for with
/// each new picture: nobody wakes for it alone, and one is taken with every sample of memory.
async fn take(opened: &Opened, desk: &Arc<Desk>, connections: &mut Connections) -> Closed {
    let mut pictures = desk.sources.pictures.clone();
    loop {
        tokio::select! {
            accepted = opened.listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let desk = Arc::clone(desk);
                    connections.admit(|engaged| greet(stream, desk, engaged), CONNECTIONS).await;
                }
                Err(error) => door::pause(&error).await,
            },
            Some(()) = connections.one_ended() => {}
            Ok(()) = pictures.changed() => if opened.is_gone() {
                return Closed::ByOthers;
            },
            () = desk.told_to_stop() => return Closed::ByUs,
        }
    }
}

/// Looks who is there, once, and answers what they ask. Where they stood when they came is what
/// they count as for as long as they stay: handing the connection on changes nothing.
pub(super) async fn greet(stream: UnixStream, desk: Arc<Desk>, engaged: Engaged) {
    let peer = match look(&stream, &desk).await {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(target: "control", %error, "cannot tell who asks: not answered");
            return;
        }
    };
    let own = owner();
    let admit = move |_: &Request<Incoming>| admitted(&peer, own);
    door::converse(stream, desk, engaged, admit).await;
}

/// Looks who is there, again with each newer picture where somebody descends from a run that the
/// picture does not show yet.
async fn look(stream: &UnixStream, desk: &Desk) -> io::Result<Peer> {
    let mut pictures = desk.sources.pictures.clone();
    let patience = sleep(PATIENCE);
    tokio::pin!(patience);
    loop {
        pictures.mark_unchanged();
        let peer = peers::look(stream, &desk.picture())?;
        if peer.place != Place::Unknown {
            return Ok(peer);
        }
        tokio::select! {
            Ok(()) = pictures.changed() => {}
            () = &mut patience => return Ok(peer),
        }
    }
}

/// The superuser and our own user come in; the mode of the socket says the same.
fn admitted(peer: &Peer, own: u32) -> Pass {
    if peer.uid != 0 && peer.uid != own {
        let detail = format!("the asker runs as uid {}, we as uid {own}", peer.uid);
        let problem = Problem::forbidden(detail);
        return Pass::Refused(
            problem.suggest(format!("ask as uid {own} or 0")).answer(),
            Who::Peer(peer.clone()),
        );
    }
    let role = Role::of(&peer.place);
    Pass::Caller(Caller::new(Who::Peer(peer.clone()), role))
}

/// As whom we run.
fn owner() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// An open socket, whose file goes with it.
struct Opened {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: by then the path may be somebody else's.
    file: Option<(u64, u64)>,
}

impl Opened {
    /// Whether our socket is not where it was made any more.
    fn is_gone(&self) -> bool {
        self.file.is_some() && self.file != file_of(&self.path)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.file.is_some() && !self.is_gone() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

fn open(path: &Path) -> io::Result<Opened> {
    let address = UnixAddr::new(path).map_err(|_| {
        let longest = "a socket's path may have 107 bytes; choose a shorter one (`control: PATH`)";
        io::Error::new(io::ErrorKind::InvalidInput, longest)
    })?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    make_room(path, &address)?;
    let fd = new_socket()?;
    // The file takes its mode from the socket, so that it never has another. The umask would be
    // that of every thread.
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(fd.as_raw_fd(), &address)?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    let listener = UnixListener::from_std(StdListener::from(fd))?;
    Ok(Opened { listener, path: path.to_path_buf(), file: file_of(path) })
}

/// Removes a socket that nobody answers at any more.
fn make_room(path: &Path, address: &UnixAddr) -> io::Result<()> {
    let Ok(data) = fs::symlink_metadata(path) else { return Ok(()) };
    if !data.file_type().is_socket() {
        let what = "something that is no socket lies there; choose another path (`control: PATH`)";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    // It never waits: one that has no room for one more is alive.
    match connect(new_socket()?.as_raw_fd(), address) {
        Ok(()) | Err(Errno::EAGAIN) => {
            let what = "another procession answers there; give each its own (`control: PATH`)";
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Err(error) => Err(error.into()),
    }
}

fn new_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner_and_goes_with_us() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/control.sock");
        let opened = open(&path).expect("it opens");
        assert_eq!((mode(&path), mode(&folder.path().join("state"))), (0o600, 0o700));
        drop(opened);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        drop(StdListener::bind(&path).expect("a socket"));
        let opened = open(&path).expect("nobody answers at the stale one");
        let error = open(&path).err().expect("the first one answers");
        assert!(error.to_string().contains("another procession answers"), "{error}");
        drop(opened);
        fs::write(&path, "text").expect("a file");
        assert!(open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "text");
    }

    #[tokio::test]
    async fn what_somebody_else_put_there_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        let opened = open(&path).expect("it opens");
        fs::remove_file(&path).expect("it can be removed");
        let _other = StdListener::bind(&path).expect("a socket");
        drop(opened);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_explained() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
        let error = open(&path).err().expect("it is too long");
        assert!(error.to_string().contains("choose a shorter one"), "{error}");
    }

    #[test]
    fn other_users_are_not_admitted() {
        let peer = |uid| Peer { pid: 7, uid, name: "x".to_owned(), place: Place::Outside };
        for (uid, in_) in [(0, true), (1000, true), (1001, false)] {
            let passed = matches!(admitted(&peer(uid), 1000), Pass::Caller(_));
            assert_eq!(passed, in_, "{uid}");
        }
    }
}

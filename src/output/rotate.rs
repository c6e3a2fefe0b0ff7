//! One file that lines are kept in, begun anew when it is too big or too old.
//!
//! `web.log` becomes `web.log.1`, that one `web.log.2`, and what is beyond the number to keep is
//! replaced. What fails is told once, lines are lost and counted, and it is tried again after a
//! while. Where the older ones cannot be renamed, the file is begun anew all the same: a bound that
//! holds is worth more than its past.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, create_dir_all, metadata, rename};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use memchr::{memchr, memrchr};
use nix::fcntl::OFlag;

use crate::clock;
use crate::output::plan::FilePlan;
use crate::units::{Bytes, Mono, Now, Wall};

/// How long a file that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// One file, opened with its first line.
#[derive(Debug)]
pub struct LogFile {
    plan: Arc<FilePlan>,
    open: Option<Open>,
    /// Its last line may lack its end.
    torn: bool,
    /// It failed; not tried again before this.
    retry_at: Option<Mono>,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    begun: Wall,
    /// Only a regular file can be begun anew; a pipe or a device cannot.
    regular: bool,
}

impl LogFile {
    /// A file that nothing was written to yet.
    pub fn new(plan: Arc<FilePlan>) -> Self {
        Self { plan, open: None, torn: false, retry_at: None }
    }

    /// Goes by this plan from now on, which is for the same path.
    pub fn follow(&mut self, plan: &Arc<FilePlan>) {
        if !Arc::ptr_eq(&self.plan, plan) {
            self.plan = Arc::clone(plan);
        }
    }

    /// Lets go of a file that is no longer at its path, because somebody else begins it anew.
    pub fn reopen_if_renamed(&mut self) {
        let at = metadata(&self.plan.path).map(|at| (at.dev(), at.ino())).ok();
        let is_there = |open: &mut Open| {
            let ours = open.file.metadata().map(|it| (it.dev(), it.ino())).ok();
            !open.regular || ours == at
        };
        self.open = self.open.take_if(is_there);
    }

    /// Writes whole lines. Returns how many bytes, from the end, were not written.
    pub fn write(&mut self, mut lines: &[u8], now: Now) -> usize {
        if self.retry_at.is_some_and(|at| now.mono < at) {
            return lines.len();
        }
        while !lines.is_empty() {
            match self.write_some(lines, now) {
                Ok(written) => lines = &lines[written..],
                Err(error) => {
                    self.fail(&error, now);
                    return lines.len();
                }
            }
        }
        if self.retry_at.take().is_some() {
            tracing::info!(target: "output", path = %self.plan.path.display(), "written again");
        }
        0
    }

    /// Writes as many lines as the file takes before it is begun anew.
    fn write_some(&mut self, lines: &[u8], now: Now) -> io::Result<usize> {
        self.begin_anew_if_due(lines, now)?;
        let (torn, most) = (self.torn, self.plan.max_size);
        let open = self.opened(now)?;
        let most = most.filter(|_| open.regular);
        // Somebody else may have filled the new file meanwhile; a line goes in all the same.
        let fits = match fitting(lines, most, open.size) {
            0 => fitting(lines, most, 0),
            fits => fits,
        };
        let end: &[u8] = if torn { b"\n" } else { b"" };
        let mut written = open.file.write_all(end);
        written = written.and_then(|()| open.file.write_all(&lines[..fits]));
        open.size += (end.len() + fits) as u64;
        self.torn = written.is_err();
        written.map(|()| fits)
    }

    fn fail(&mut self, error: &io::Error, now: Now) {
        if self.retry_at.is_none() {
            let path = self.plan.path.display();
            tracing::warn!(target: "output", %path, %error, "cannot be written: lines are dropped");
        }
        self.open = None;
        self.retry_at = Some(now.mono.after(RETRY));
    }

    fn opened(&mut self, now: Now) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.plan, now)?,
        };
        Ok(self.open.insert(open))
    }

    fn begin_anew_if_due(&mut self, lines: &[u8], now: Now) -> io::Result<()> {
        let plan = Arc::clone(&self.plan);
        let open = self.opened(now)?;
        let old = plan.max_age.is_some_and(|age| {
            i64::try_from(age.as_millis()).is_ok_and(|age| now.wall.0 - open.begun.0 >= age)
        });
        let full = plan.max_size.is_some() && fitting(lines, plan.max_size, open.size) == 0;
        if !open.regular || open.size == 0 || !(old || full) {
            return Ok(());
        }
        let moved = move_up(&plan);
        if plan.keep == 0 || moved.is_err() {
            open.file.set_len(0)?;
        }
        if let Err(error) = moved {
            let path = plan.path.display();
            tracing::warn!(target: "output", %path, %error, "begun anew without keeping the old one");
        }
        self.torn = false;
        self.open = Some(Open::new(&plan, now)?);
        Ok(())
    }
}

impl Open {
    fn new(plan: &FilePlan, now: Now) -> io::Result<Self> {
        if let Some(folder) = plan.path.parent() {
            create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        // A named pipe that nobody reads refuses to be opened rather than to hang.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = options.create(true).append(true).custom_flags(flags.bits()).open(&plan.path)?;
        let about = file.metadata()?;
        let born = about.created().or_else(|_| about.modified());
        let begun = if about.len() == 0 { now.wall } else { born.map_or(now.wall, clock::wall) };
        Ok(Self { file, size: about.len(), begun, regular: about.is_file() })
    }
}

/// How many bytes of whole lines go into a file of `size`. A line that is too long for any file
/// goes into one of its own.
fn fitting(lines: &[u8], most: Option<Bytes>, size: u64) -> usize {
    let Some(Bytes(most)) = most else { return lines.len() };
    let room = usize::try_from(most.saturating_sub(size)).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    match memrchr(b'\n', &lines[..room]) {
        Some(end) => end + 1,
        None if size == 0 => memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
        None => 0,
    }
}

/// Renames the file and the older ones, the oldest first.
fn move_up(plan: &FilePlan) -> io::Result<()> {
    let nth = |n: usize| {
        let mut name = OsString::from(&plan.path);
        if n > 0 {
            name.push(format!(".{n}"));
        }
        PathBuf::from(name)
    };
    for n in (0..plan.keep).rev() {
        match rename(nth(n), nth(n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, write};

    fn plan(folder: &tempfile::TempDir) -> FilePlan {
        FilePlan {
            path: folder.path().join("logs/web.log"),
            format: crate::output::plan::FileFormat::Raw,
            max_size: Some(Bytes(20)),
            max_age: None,
            keep: 2,
        }
    }

    fn at(seconds: i64) -> Now {
        let mono = Mono::default().after(Duration::from_secs(seconds as u64));
        Now { mono, wall: Wall(1_790_000_000_000 + seconds * 1000) }
    }

    fn read(folder: &tempfile::TempDir, name: &str) -> Option<String> {
        read_to_string(folder.path().join("logs").join(name)).ok()
    }

    #[test]
    fn files_are_begun_anew_by_size_and_no_line_is_parted() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LogFile::new(Arc::new(plan(&folder)));
        let lines: String = (0..11).map(|n| format!("line {n:02}\n")).collect();
        assert_eq!(file.write(lines.as_bytes(), at(0)), 0);
        assert_eq!(file.write(b"a line that is longer than a file\n", at(0)), 0);
        assert_eq!(file.write(b"last\n", at(0)), 0);
        assert_eq!(read(&folder, "web.log").unwrap(), "last\n");
        assert_eq!(read(&folder, "web.log.1").unwrap(), "a line that is longer than a file\n");
        assert_eq!(read(&folder, "web.log.2").unwrap(), "line 10\n");
        assert_eq!(read(&folder, "web.log.3"), None);
    }

    #[test]
    fn files_are_begun_anew_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let age = Some(Duration::from_secs(60));
        let mut file =
            LogFile::new(Arc::new(FilePlan { max_age: age, max_size: None, ..plan(&folder) }));
        for (second, line) in [(0, "a\n"), (59, "b\n"), (60, "c\n"), (119, "d\n"), (121, "e\n")] {
            assert_eq!(file.write(line.as_bytes(), at(second)), 0);
        }
        assert_eq!(read(&folder, "web.log").unwrap(), "e\n");
        assert_eq!(read(&folder, "web.log.1").unwrap(), "c\nd\n");
        assert_eq!(read(&folder, "web.log.2").unwrap(), "a\nb\n");
    }

    #[test]
    fn with_nothing_to_keep_the_file_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LogFile::new(Arc::new(FilePlan { keep: 0, ..plan(&folder) }));
        for _ in 0..5 {
            assert_eq!(file.write(b"fifteen bytes.\n", at(0)), 0);
        }
        assert_eq!(read(&folder, "web.log").unwrap(), "fifteen bytes.\n");
        assert_eq!(std::fs::read_dir(folder.path().join("logs")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_there_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        write(folder.path().join("logs/web.log"), "earlier\n").unwrap();
        LogFile::new(Arc::new(plan(&folder))).write(b"later\n", at(0));
        assert_eq!(read(&folder, "web.log").unwrap(), "earlier\nlater\n");
    }

    #[test]
    fn a_full_disk_loses_lines_counts_them_and_is_tried_again() {
        let full = FilePlan { path: "/dev/full".into(), ..plan(&tempfile::tempdir().unwrap()) };
        let mut file = LogFile::new(Arc::new(full));
        assert_eq!(file.write(b"one\ntwo\n", at(0)), 8);
        assert_eq!((file.write(b"three\n", at(0)), file.torn), (6, true));
        let folder = tempfile::tempdir().unwrap();
        file.plan = Arc::new(plan(&folder));
        assert_eq!(file.write(b"four\n", at(0)), 5);
        assert_eq!(file.write(b"five\n", at(1)), 0);
        assert_eq!(read(&folder, "web.log").unwrap(), "\nfive\n");
    }

    #[test]
    fn a_pipe_that_nobody_reads_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut file = LogFile::new(Arc::new(FilePlan { path, ..plan(&folder) }));
        assert_eq!(file.write(b"x\n", at(0)), 2);
    }

    #[test]
    fn where_the_old_one_cannot_be_kept_the_bound_holds() {
        let folder = tempfile::tempdir().unwrap();
        create_dir_all(folder.path().join("logs/web.log.1/in the way")).unwrap();
        let mut file = LogFile::new(Arc::new(FilePlan { keep: 1, ..plan(&folder) }));
        for _ in 0..5 {
            assert_eq!(file.write(b"fifteen bytes.\n", at(0)), 0);
        }
        assert_eq!(read(&folder, "web.log").unwrap(), "fifteen bytes.\n");
    }
}

//! The steps of a station, as they show in its folders: what is made, written, moved or removed in
//! state, archive, spool and outbound.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oms_testkit::station::Station;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Tells each step when it is done.
#[derive(Debug)]
pub(crate) struct Steps {
    inotify: OwnedFd,
    spool: (i32, PathBuf),
    seen: usize,
}

impl Steps {
    /// Looks at the folders of a station.
    ///
    /// # Panics
    /// When the kernel does not.
    pub(crate) fn of(station: &Station) -> Steps {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("inotify");
        let spool = station.spool.clone();
        let mut steps = Steps { inotify, spool: (0, spool.clone()), seen: 0 };
        for folder in [&station.state, &station.outbound] {
            steps.look_at(folder);
        }
        for folder in ["open", "archive"] {
            steps.look_at(&station.state.join(folder));
        }
        steps.spool.0 = steps.look_at(&spool);
        steps
    }

    /// A folder that is not there yet, or not any more, is not looked at.
    fn look_at(&self, folder: &Path) -> i32 {
        let what = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE;
        inotify::add_watch(&self.inotify, folder, what).unwrap_or_default()
    }

    /// How many steps were done so far. Waits for another, at most for `pause`.
    ///
    /// # Panics
    /// When the kernel does not tell.
    pub(crate) fn done(&mut self, pause: Duration) -> usize {
        let pause = Timespec::try_from(pause).ok();
        let _ = poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], pause.as_ref());
        let mut made = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    self.seen += 1;
                    let is_folder = event.events().contains(ReadFlags::ISDIR | ReadFlags::CREATE);
                    if let (true, Some(name)) =
                        (event.wd() == self.spool.0 && is_folder, event.file_name())
                    {
                        made.push(self.spool.1.join(name.to_string_lossy().as_ref()));
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(error) => panic!("inotify: {error}"),
            }
        }
        for folder in made {
            self.look_at(&folder);
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_counts_also_in_a_folder_that_was_just_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| oms_testkit::files::folder(dir.path().join(name));
        let (state, spool, outbound) = (path("state"), path("spool"), path("outbound"));
        let any = dir.path().to_owned();
        let station = Station {
            id: String::new(),
            config: any.clone(),
            policy: any.clone(),
            roots: any.clone(),
            crls: any,
            state,
            spool: spool.clone(),
            outbound: outbound.clone(),
        };
        let mut steps = Steps::of(&station);
        assert_eq!(steps.done(Duration::ZERO), 0);
        std::fs::create_dir(spool.join("ingest-1")).unwrap();
        assert_eq!(steps.done(Duration::ZERO), 1);
        std::fs::create_dir(spool.join("ingest-1/model")).unwrap();
        assert_eq!(steps.done(Duration::ZERO), 2);
        std::fs::rename(spool.join("ingest-1"), outbound.join("1")).unwrap();
        assert_eq!(steps.done(Duration::ZERO), 4);
    }
}

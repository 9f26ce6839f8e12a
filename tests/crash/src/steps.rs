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

use crate::violation::Violation;

/// Tells each step when it is done.
#[derive(Debug)]
pub(crate) struct Steps {
    inotify: OwnedFd,
    spool: (i32, PathBuf),
    outbound: i32,
    in_place: Vec<String>,
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
        let (in_place, seen) = (Vec::new(), 0);
        let mut steps = Steps { inotify, spool: (0, spool.clone()), outbound: 0, in_place, seen };
        steps.look_at(&station.state);
        steps.outbound = steps.look_at(&station.outbound);
        for folder in ["open", "archive", "signer"] {
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

    /// That nothing was made or changed in outbound itself: things are moved there, and that is all.
    ///
    /// # Errors
    /// When something was.
    pub(crate) fn are_moves(&mut self) -> Result<(), Violation> {
        self.done(Duration::ZERO);
        let in_place = std::mem::take(&mut self.in_place);
        if in_place.is_empty() { Ok(()) } else { Err(Violation::InPlace(in_place)) }
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
                    let is_moved = event.events().contains(ReadFlags::MOVED_TO);
                    if event.wd() == self.outbound && !is_moved {
                        let name = event.file_name().unwrap_or_default().to_string_lossy();
                        self.in_place.push(name.into_owned());
                    }
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
        assert!(steps.are_moves().is_ok());
        std::fs::write(outbound.join("2"), "in place").unwrap();
        assert!(matches!(steps.are_moves(), Err(Violation::InPlace(_))));
    }
}

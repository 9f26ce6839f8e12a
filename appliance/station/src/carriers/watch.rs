//! All sources of carriers together, and the queue of what has come.
//!
//! ```text
//!  told ─▶ look ─▶ waiting (until it is complete or nothing changes) ─▶ Arrival, each once
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use oms_sys::uevent::{Heard, Listener};
use oms_verify::reason::{Code, Reason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::AsFd as _;

use super::devices::{self, Device};
use super::hot::HotFolder;
use super::settings::{BlockDevices, Settings};
use super::{Arrival, Source};

/// The most carriers that wait to be served; others are found when there is room again.
pub(super) const MOST_WAITING: usize = 64;

/// How often is looked at everything, whether something was told or not: a network's file system
/// tells nothing.
const EVERY: Duration = Duration::from_secs(60);

/// Waits for carriers.
#[derive(Debug)]
pub struct Watch {
    settle: Duration,
    which: BlockDevices,
    boot: String,
    folders: Vec<HotFolder>,
    listener: Option<Listener>,
    /// What was found and is not complete yet, by its identity.
    unsettled: BTreeMap<String, Unsettled>,
    ready: VecDeque<News>,
    /// What was given out, or told: by identity, as long as it is there.
    taken: BTreeSet<String>,
    /// When to look at everything again.
    look_at: Instant,
}

/// Something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A carrier has come.
    Arrived(Arrival),
    /// Something came that is no carrier, or a source cannot be watched: to be told once.
    Told(Reason),
    /// A carrier that was given out is gone: pulled, moved or removed.
    Gone(String),
}

#[derive(Debug)]
struct Unsettled {
    arrival: Arrival,
    /// In which of the hot folders.
    folder: Option<usize>,
    stamp: Option<u64>,
    due: Instant,
}

impl Watch {
    /// Begins to watch what `settings` name. What is there already is found by the first call of
    /// [`Watch::next`].
    ///
    /// # Errors
    /// When a hot folder is not there, or the kernel does not tell about devices.
    pub fn open(settings: &Settings) -> Result<Self, Reason> {
        let folders = settings.hot_folders.iter().map(|path| HotFolder::watch(path));
        let failed = |error: io::Error| {
            Reason::new(Code::CarrierDevice, format!("devices cannot be watched: {error}"))
        };
        let listener = match settings.block_devices {
            BlockDevices::None => None,
            _ => Some(Listener::open().map_err(failed)?),
        };
        Ok(Watch {
            settle: settings.settle,
            which: settings.block_devices,
            boot: devices::boot().map_err(failed)?,
            folders: folders.collect::<Result<_, _>>()?,
            listener,
            unsettled: BTreeMap::new(),
            ready: VecDeque::new(),
            taken: BTreeSet::new(),
            look_at: Instant::now(),
        })
    }

    /// Waits for the next news until `deadline`; none when the time is over. After a restart, what
    /// was served before comes again: the journal knows it by its identity.
    ///
    /// # Errors
    /// When the kernel does not let this process wait.
    pub fn next(&mut self, deadline: Instant) -> io::Result<Option<News>> {
        loop {
            if self.listen()? || Instant::now() >= self.look_at {
                self.look();
            }
            self.settle();
            if let Some(news) = self.ready.pop_front() {
                return Ok(Some(news));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            let due = self.unsettled.values().map(|one| one.due).min();
            let until = due.into_iter().chain([deadline, self.look_at]).min().unwrap_or(deadline);
            self.wait(until)?;
        }
    }

    /// Carriers that have come and wait to be given out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.iter().filter(|news| matches!(news, News::Arrived(_))).count()
    }

    /// Reads all that was told. Gives whether there is a reason to look.
    fn listen(&mut self) -> io::Result<bool> {
        let mut is_news = false;
        for folder in &mut self.folders {
            is_news |= folder.listen();
        }
        while let Some(listener) = &self.listener {
            match listener.hear(Some(Instant::now()))? {
                Heard::Nothing => break,
                Heard::Event(_) | Heard::Overrun => is_news = true,
            }
        }
        Ok(is_news)
    }

    /// Looks at everything: what is new waits from now on, what is gone is forgotten.
    fn look(&mut self) {
        let now = Instant::now();
        self.look_at = now.checked_add(EVERY).unwrap_or(now);
        let mut here = BTreeSet::new();
        let mut found = Vec::new();
        for (at, folder) in self.folders.iter().enumerate() {
            match folder.look() {
                Ok(look) => {
                    found.extend(
                        look.found.into_iter().map(|one| (Some(at), one.is_complete, one.arrival)),
                    );
                    for (identity, reason) in look.others {
                        if self.taken.insert(identity.clone()) {
                            self.ready.push_back(News::Told(reason));
                        }
                        here.insert(identity);
                    }
                }
                Err(reason) => {
                    let identity = format!("folder {at}: {reason}");
                    if self.taken.insert(identity.clone()) {
                        self.ready.push_back(News::Told(reason));
                    }
                    here.insert(identity);
                }
            }
        }
        if self.which != BlockDevices::None {
            for device in devices::scan(Path::new("/sys"), self.which).unwrap_or_default() {
                found.push((None, false, self.arrival(device)));
            }
        }
        for (folder, is_complete, arrival) in found {
            here.insert(arrival.identity.clone());
            if !self.taken.contains(&arrival.identity) {
                self.found(arrival, folder, is_complete);
            }
        }
        self.forget(&here);
    }

    fn arrival(&self, device: Device) -> Arrival {
        Arrival { identity: device.identity(&self.boot), source: Source::Device(device) }
    }

    /// Something that has not been given out.
    fn found(&mut self, arrival: Arrival, folder: Option<usize>, is_complete: bool) {
        let identity = arrival.identity.clone();
        let now = Instant::now();
        let due = if is_complete { now } else { now.checked_add(self.settle).unwrap_or(now) };
        let one = self.unsettled.entry(identity);
        let one = one.or_insert(Unsettled { arrival, folder, stamp: None, due });
        // A disk may still be told of its partitions; an entry is asked for its stamp below.
        if is_complete {
            one.due = now;
            one.folder = None;
        }
    }

    /// Gives out what has been complete for long enough, as far as there is room.
    fn settle(&mut self) {
        let now = Instant::now();
        let again = now.checked_add(self.settle).unwrap_or(now);
        let mut done = Vec::new();
        for (identity, one) in &mut self.unsettled {
            let (Source::Folder(entry) | Source::Archive(entry), Some(folder)) =
                (&one.arrival.source, one.folder.and_then(|at| self.folders.get(at)))
            else {
                if one.due <= now {
                    done.push((identity.clone(), None));
                }
                continue;
            };
            // The first look is made at once, so that the second one has something to compare with.
            if one.stamp.is_some() && one.due > now {
                continue;
            }
            match folder.stamp(&entry.name) {
                Ok(stamp) if one.stamp == Some(stamp) => done.push((identity.clone(), None)),
                Ok(stamp) => (one.stamp, one.due) = (Some(stamp), again),
                Err(oms_sys::beneath::BeneathError::TooManyEntries(most)) => {
                    let detail = format!(
                        "it has more than {most} files or folders in each other, too many to see \
                         whether it is complete: rename it into the hot folder when it is"
                    );
                    let reason = Reason::new(Code::CarrierEntry, detail).about(entry.to_string());
                    done.push((identity.clone(), Some(reason)));
                }
                // It changes, or is gone: the next look says.
                Err(_) => (one.stamp, one.due) = (None, again),
            }
        }
        for (identity, reason) in done {
            if self.waiting() >= MOST_WAITING {
                return;
            }
            let Some(one) = self.unsettled.remove(&identity) else { continue };
            self.taken.insert(identity);
            self.ready.push_back(reason.map_or(News::Arrived(one.arrival), News::Told));
        }
    }

    /// Forgets what is not here any more, also where it has not been given out yet.
    fn forget(&mut self, here: &BTreeSet<String>) {
        self.unsettled.retain(|identity, _| here.contains(identity));
        let mut gone: BTreeSet<String> = self.taken.difference(here).cloned().collect();
        self.taken.retain(|identity| here.contains(identity));
        self.ready.retain(|news| match news {
            News::Arrived(arrival) => !gone.remove(&arrival.identity),
            _ => true,
        });
        self.ready.extend(gone.into_iter().map(News::Gone));
    }

    /// Waits until something is told, or until `until`.
    fn wait(&self, until: Instant) -> io::Result<()> {
        let mut fds: Vec<PollFd<'_>> = self
            .folders
            .iter()
            .map(|folder| PollFd::from_borrowed_fd(folder.as_fd(), PollFlags::IN))
            .collect();
        if let Some(listener) = &self.listener {
            fds.push(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN));
        }
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

#[cfg(test)]
mod tests;

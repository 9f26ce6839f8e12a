//! The supervisor's side of the chain: it starts the processes, passes each the channel to the
//! next, and hears what comes of it.

use std::ffi::OsString;
use std::iter;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use oms_sys::beneath::Root;
use oms_sys::sealed::Sealed;
use oms_verify::pki::CrlFloors;
use oms_verify::policy::Policy;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::Decision;

use super::claims::{self, Claims, Known};
use super::heartbeat::Course;
use super::messages::{Copies, MOST_FLOORS, Means, Order, Word};
use super::worker::{Attached, ENDING, Link, Worker, wait_for_any};
use crate::handover::{MOST_SEALED, sealed_copy};
use crate::intake::{MODEL, Quarantine, Settings};
use crate::media::Candidate;
use crate::process::Role;
use crate::progress::Progress;
use crate::scanner::{self, Scanning};
use crate::trust::{TrustPaths, policy_path};

/// How long a process may say nothing at all. Those that read tell of themselves every second.
pub(super) const SILENCE: Duration = Duration::from_secs(120);
/// Bytes of a decision without its files.
const MOST_DECISION: usize = 64 << 20;

/// The first folder of a carrier.
#[derive(Clone, Copy, Debug)]
pub enum Folder<'a> {
    /// Where it is mounted: the copier opens it, which a hostile file system may not let end.
    Path(&'a Path),
    /// It is open, and need not have a path.
    Open {
        /// The folder.
        root: &'a Root,
        /// What people know it by.
        shown: &'a str,
    },
}

/// What is to be decided about, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The carrier.
    pub carrier: Folder<'a>,
    /// Policy, anchors and CRLs.
    pub trust: &'a TrustPaths,
    /// What the CRLs that were used before rule out.
    pub floors: &'a CrlFloors,
    /// The policy, as the station read it.
    pub policy: &'a Policy,
    /// The means of reading.
    pub settings: Settings,
    /// The virus scanner, where there is one.
    pub scanner: Option<&'a scanner::Settings>,
    /// Whether the processes are sandboxed: only for development not.
    pub is_sandboxed: bool,
}

/// A model that was decided about.
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// Its JSON, as it is passed on.
    pub sealed: Sealed,
    /// The files that are as signed, as they are passed on.
    pub files: Sealed,
    /// What goes into the entry when the model passes, by its name.
    pub kept: Vec<(String, Sealed)>,
    /// What the CRLs that were used rule out from now on.
    pub floors: CrlFloors,
    /// The other place that holds the model, when it is not at home.
    pub elsewhere: Option<usize>,
    /// What held the processes: `none` when one of them was not held.
    pub sandbox: String,
}

impl Task<'_> {
    pub(super) fn means(&self) -> Means {
        let (settings, rules) = (self.settings, self.policy.media);
        let content = self.policy.content.limits;
        Means { settings, rules, budget: self.policy.budget.clone(), content }
    }

    fn start(
        &self,
        role: Role,
        args: &[(&str, &Path)],
        folder: Option<(&Root, &str)>,
    ) -> Result<Worker, Reason> {
        let mut given: Vec<OsString> = Vec::new();
        for (flag, path) in args {
            // Processes start in the topmost folder.
            let full = std::path::absolute(path).map_err(|error| {
                Reason::new(Code::ConfigPath, error.to_string()).about(path.display().to_string())
            })?;
            given.extend([OsString::from(flag), full.into()]);
        }
        if let Some((_, shown)) = folder {
            // Together, or a name could be taken for a flag.
            given.push(format!("--opened={shown}").into());
        }
        Worker::start(role, given, folder.map(|(root, _)| root.as_fd()), self.is_sandboxed)
    }

    /// The copier, which writes beneath `into`.
    pub(super) fn copier(&self, into: Option<&Path>) -> Result<Worker, Reason> {
        let (path, opened) = match self.carrier {
            Folder::Path(path) => (Some(path), None),
            Folder::Open { root, shown } => (None, Some((root, shown))),
        };
        let mut args = Vec::new();
        args.extend(path.map(|folder| ("--carrier", folder)));
        args.extend(into.map(|folder| ("--into", folder)));
        self.start(Role::Copier, &args, opened)
    }

    fn decider(&self) -> Result<Worker, Reason> {
        let TrustPaths { policy, roots, crls } = self.trust;
        let policy = &policy_path(policy);
        let mut args = vec![("--policy", policy.as_path())];
        args.extend(roots.as_deref().map(|folder| ("--roots", folder)));
        args.extend(crls.as_deref().map(|folder| ("--crls", folder)));
        self.start(Role::Decider, &args, None)
    }
}

/// Decides about the candidate of this number in a survey, with the copies in `copies`.
/// When it returns, no process of the chain is alive.
///
/// # Errors
/// When nothing could be decided: what the processes say, or that one of them failed.
pub fn decide(
    task: &Task<'_>,
    (survey, number, candidate): (&Sealed, usize, &Candidate),
    copies: &Quarantine,
    time: UnixTime,
    progress: &Progress,
) -> Result<Decided, Reason> {
    let into = copies.folder();
    let mut copier = task.copier(Some(into))?;
    let mut decider = task.decider()?;
    let (asking, answering) = Link::pair()?;
    let order = Order::Serve { means: task.means(), candidate: number, room: copies.room() };
    copier.tell(&order, &[survey.as_fd(), answering.as_fd()])?;
    drop(answering);
    let order = Order::Decide {
        name: candidate.name().to_owned(),
        bundles: candidate.bundles.len(),
        time,
        policy: task.policy.digest,
    };
    let floors = sealed_copy(&task.floors.to_json())?;
    decider.tell(&order, &[asking.as_fd(), floors.as_fd()])?;
    drop(asking);
    let sandbox = held(copier.sandbox.clone(), &decider);
    Watched {
        task,
        into,
        candidate,
        time,
        progress,
        copier: Some(copier),
        decider,
        inspector: None,
        kept: Vec::new(),
        sandbox,
        scanner: None,
        course: Course::from(Instant::now()),
        is_inspected: false,
        copies: None,
        alive: None,
    }
    .hear()
}

/// What holds all of them: nothing when it is not the same.
fn held(others: Option<String>, worker: &Worker) -> Option<String> {
    others.filter(|others| Some(others) == worker.sandbox.as_ref())
}

/// The processes of one model, while they work.
struct Watched<'a> {
    task: &'a Task<'a>,
    into: &'a Path,
    candidate: &'a Candidate,
    time: UnixTime,
    progress: &'a Progress,
    copier: Option<Worker>,
    decider: Worker,
    inspector: Option<Worker>,
    kept: Vec<(String, Sealed)>,
    sandbox: Option<String>,
    /// What the scanner called itself that the inspector was given.
    scanner: Option<String>,
    course: Course,
    /// Whether the copies were given to an inspector.
    is_inspected: bool,
    /// What the inspector found them to be.
    copies: Option<Copies>,
    /// One that hung up and has not ended.
    alive: Option<Role>,
}

impl Watched<'_> {
    /// Hears the processes until there is a decision.
    fn hear(mut self) -> Result<Decided, Reason> {
        loop {
            let (role, word, with) = self.next()?;
            if !self.course.goes_on(&word, Instant::now()) {
                return Err(Role::Decider.stands_still());
            }
            if !matches!(word, Word::Keep { .. } | Word::Decided { .. }) && !with.is_empty() {
                return Err(role.spoke_nonsense());
            }
            match (role, word) {
                (Role::Copier, Word::Progress(report)) => self.progress.absorb(report),
                // What is read again is not read of the carrier: a sign of life.
                (Role::Inspector, Word::Progress(_)) => {}
                (Role::Inspector, Word::Copies(copies)) => self.found(copies)?,
                (Role::Decider, Word::Copied) => self.inspect()?,
                (Role::Decider, Word::Keep { name }) => self.keep(name, with)?,
                (Role::Decider, Word::Decided { elsewhere }) => return self.end(elsewhere, with),
                (role, Word::Failed(reason)) => return Err(role.gave_up(reason)),
                (role, _) => return Err(role.spoke_nonsense()),
            }
        }
    }

    /// The next word of any of them. One that has nothing more to say is no longer listened to,
    /// unless it is the decider.
    fn next(&mut self) -> Result<(Role, Word, Attached), Reason> {
        let mut silent_since = Instant::now();
        loop {
            self.progress.check()?;
            let all = [Some(&self.decider), self.copier.as_ref(), self.inspector.as_ref()];
            let children: Vec<&Worker> = all.into_iter().flatten().collect();
            let wires: Vec<&Link> = children.iter().map(|child| child.link()).collect();
            let Some(at) = wait_for_any(&wires, Duration::from_millis(200))? else {
                if silent_since.elapsed() > SILENCE {
                    return Err(Role::Decider.is_silent());
                }
                continue;
            };
            let Some(child) = children.get(at) else { continue };
            let role = child.role();
            if let Some((word, with)) = child.link().next::<Word>()? {
                return Ok((role, word, with));
            }
            silent_since = Instant::now();
            match role {
                Role::Copier => self.lose(|own| &mut own.copier)?,
                Role::Inspector => self.lose(|own| &mut own.inspector)?,
                _ => return Err(self.decider.failure(ENDING)),
            }
        }
    }

    /// A process hung up early. Where it has not ended with that, no decision counts any more, since
    /// it may still write.
    fn lose(&mut self, which: impl Fn(&mut Self) -> &mut Option<Worker>) -> Result<(), Reason> {
        let Some(child) = which(self).take() else { return Ok(()) };
        let role = child.role();
        if !child.hung_up()? {
            self.alive = Some(role);
        }
        Ok(())
    }

    /// That every process that could write or lie has ended which has hung up.
    fn none_alive(&self) -> Result<(), Reason> {
        self.alive.map_or(Ok(()), |role| Err(role.is_silent()))
    }

    /// A process whose work is done has its last word, and has to end well.
    fn let_go(&mut self, which: impl Fn(&mut Self) -> &mut Option<Worker>) -> Result<(), Reason> {
        let Some(child) = which(self).take() else { return Ok(()) };
        let since = Instant::now();
        while since.elapsed() < ENDING {
            if wait_for_any(&[child.link()], ENDING)?.is_none() {
                break;
            }
            match child.link().next::<Word>()? {
                None => break,
                Some((Word::Progress(report), _)) if child.role() == Role::Copier => {
                    self.progress.absorb(report);
                }
                Some((Word::Progress(_), _)) => {}
                Some((Word::Copies(copies), _)) if child.role() == Role::Inspector => {
                    self.found(copies)?;
                }
                Some((Word::Failed(reason), _)) => return Err(child.role().gave_up(reason)),
                Some(_) => return Err(child.role().spoke_nonsense()),
            }
        }
        child.end(ENDING)
    }

    /// The copies are made: from here on nobody may write to them.
    fn inspect(&mut self) -> Result<(), Reason> {
        if self.is_inspected {
            return Err(Role::Decider.spoke_nonsense());
        }
        self.let_go(|own| &mut own.copier)?;
        self.none_alive()?;
        self.is_inspected = true;
        // The inspector can open none.
        let rules = &self.task.policy.content.scanner;
        let (mut scanning, mut sessions) = (None, Vec::new());
        if let Some(settings) = self.task.scanner {
            let connected = settings.connect()?;
            scanning = Some(Scanning::new(settings, &connected, rules));
            sessions = connected.sessions;
            self.scanner = Some(connected.engine);
        }
        let mut inspector =
            self.task.start(Role::Inspector, &[("--copies", &self.into.join(MODEL))], None)?;
        let (asking, answering) = Link::pair()?;
        self.sandbox = held(self.sandbox.take(), &inspector);
        let sessions = sessions.iter().map(AsFd::as_fd);
        let given: Vec<_> = iter::once(answering.as_fd()).chain(sessions).collect();
        let order = Order::Inspect { means: self.task.means(), scanning };
        inspector.tell(&order, &given)?;
        self.inspector = Some(inspector);
        self.decider.tell(&Order::Inspector, &[asking.as_fd()])
    }

    fn keep(&mut self, name: String, mut with: Attached) -> Result<(), Reason> {
        let limit = self.task.policy.budget.attestations.saturating_add(1);
        if self.kept.len() >= limit {
            return Err(Role::Decider.spoke_nonsense());
        }
        let bytes = with.sealed(MOST_SEALED)?;
        with.end()?;
        self.kept.push((name, bytes));
        Ok(())
    }

    /// The inspector says once what the copies are.
    fn found(&mut self, copies: Copies) -> Result<(), Reason> {
        match self.copies.replace(copies) {
            None => Ok(()),
            Some(_) => Err(Role::Inspector.spoke_nonsense()),
        }
    }

    /// All end before anything is made of the decision.
    fn end(mut self, elsewhere: Option<usize>, mut with: Attached) -> Result<Decided, Reason> {
        let decision = with.sealed(MOST_DECISION)?;
        let files = with.sealed(MOST_SEALED)?;
        let floors = with.sealed(MOST_FLOORS)?;
        with.end()?;
        self.let_go(|own| &mut own.copier)?;
        self.let_go(|own| &mut own.inspector)?;
        self.none_alive()?;
        let Watched { decider, task, kept, sandbox, candidate, time, copies, scanner, .. } = self;
        decider.end(ENDING)?;
        let claims = Claims { decision, files, floors, elsewhere, kept };
        let Task { policy, floors, .. } = task;
        let known = Known { policy, time, floors, candidate, copies, scanner };
        let (decision, floors) = claims::check(&claims, &known)?;
        let Claims { decision: sealed, files, kept, .. } = claims;
        let sandbox = sandbox.unwrap_or_else(|| "none".to_owned());
        Ok(Decided { decision, sealed, files, kept, floors, elsewhere, sandbox })
    }
}

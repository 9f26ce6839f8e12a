//! One process is killed, at some moment.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use oms_testkit::run;
use rustix::process::Signal;

use crate::calls::{self, Call};
use crate::dice::Dice;
use crate::processes::{self, Process};
use crate::stage::Carrier;
use crate::steps::Steps;

/// What is done to a run.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The supervisor is killed after this time.
    Time(Duration),
    /// The supervisor is killed when so many steps show in the station's folders.
    Step(usize),
    /// The supervisor is killed where it would make this call.
    Call(Call),
    /// A process that it started is killed: the one of this number, at this age.
    Process(usize, Duration),
    /// One that is alive at a step, or the next one: any, by a number of any size.
    ProcessAtStep(usize, usize),
}

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(1);

impl Fault {
    /// A fault for a process that is there already.
    pub(crate) fn of_running(carrier: &Carrier, dice: &mut Dice) -> Fault {
        let mut carrier = carrier.clone();
        carrier.calls.clear();
        Fault::any(&carrier, dice)
    }

    /// A fault for the ingest of this carrier.
    pub(crate) fn any(carrier: &Carrier, dice: &mut Dice) -> Fault {
        let step = 1 + dice.below(carrier.steps);
        match dice.below(8) {
            0 => Fault::Time(dice.moment(carrier.whole)),
            1 => Fault::Step(step),
            2..=4 => calls::any(&carrier.calls, dice).map_or(Fault::Step(step), Fault::Call),
            5 => Fault::ProcessAtStep(step, dice.below(usize::MAX)),
            _ => {
                let number = dice.below(carrier.processes.len());
                let life = carrier.processes.get(number).map(|(_, life)| *life);
                Fault::Process(number, dice.moment(life.unwrap_or_default()))
            }
        }
    }

    /// Whether it is the supervisor that is killed.
    pub(crate) fn is_for_supervisor(&self) -> bool {
        matches!(self, Fault::Time(_) | Fault::Step(_) | Fault::Call(_))
    }

    /// What stands for the appliance while this strikes.
    pub(crate) fn command(&self) -> Command {
        match self {
            Fault::Call(call) => call.striking(),
            _ => run::command(),
        }
    }

    /// Waits for the moment and strikes: the supervisor with `signal`, any other process with
    /// SIGKILL. Says what kind of fault it was, or nothing when it was all over before.
    pub(crate) fn strike(
        &self,
        supervisor: u32,
        signal: Signal,
        steps: &mut Steps,
        mut is_over: impl FnMut() -> bool,
    ) -> Option<String> {
        let start = Instant::now();
        let mut seen = BTreeSet::new();
        while !is_over() {
            let struck = match self {
                Fault::Time(moment) => {
                    let left = moment.saturating_sub(start.elapsed());
                    std::thread::sleep(left.min(PAUSE));
                    left.is_zero().then(|| ended(supervisor, signal, "at a time"))
                }
                Fault::Step(number) => {
                    (steps.done(PAUSE) >= *number).then(|| ended(supervisor, signal, "at a step"))
                }
                // It strikes by itself.
                Fault::Call(_) => {
                    std::thread::sleep(PAUSE);
                    None
                }
                Fault::Process(number, age) => {
                    let alive = processes::of(supervisor);
                    let found = alive.into_iter().find(|one| {
                        seen.insert(one.pid);
                        seen.len() > *number
                    });
                    found.map(|found| {
                        std::thread::sleep(*age);
                        process(&found, "at an age")
                    })
                }
                Fault::ProcessAtStep(number, which) if steps.done(PAUSE) >= *number => {
                    let alive = processes::of(supervisor);
                    let found = alive.get(which % alive.len().max(1));
                    found.map(|found| process(found, "at a step"))
                }
                Fault::ProcessAtStep(..) => None,
            };
            if struck.is_some() {
                return struck;
            }
        }
        None
    }
}

fn ended(supervisor: u32, signal: Signal, when: &str) -> String {
    processes::signal(supervisor, signal);
    let how = if signal == Signal::TERM { "told to end " } else { "" };
    format!("supervisor {how}{when}")
}

fn process(found: &Process, when: &str) -> String {
    processes::kill(found.pid);
    format!("{} {when}", found.role)
}

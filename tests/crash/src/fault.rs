//! One process is killed, at some moment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::processes::{self, Process};
use crate::stage::{Carrier, Running};
use crate::steps::Steps;

/// What is done to a run.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The supervisor is killed after this time.
    Time(Duration),
    /// The supervisor is killed when so many steps show in the station's folders.
    Step(usize),
    /// A process that it started is killed: the one of this number, at this age.
    Process(usize, Duration),
    /// One that is alive at a step, or the next one.
    ProcessAtStep(usize),
}

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(1);

impl Fault {
    /// A fault for the ingest of this carrier.
    pub(crate) fn any(carrier: &Carrier, dice: &mut Dice) -> Fault {
        let step = 1 + dice.below(carrier.steps);
        match dice.below(8) {
            0 | 1 => Fault::Time(dice.moment(carrier.whole)),
            2..=4 => Fault::Step(step),
            5 => Fault::ProcessAtStep(step),
            _ => {
                let number = dice.below(carrier.processes.len());
                let life = carrier.processes.get(number).map(|(_, life)| *life);
                Fault::Process(number, dice.moment(life.unwrap_or_default()))
            }
        }
    }

    /// Whether it is the supervisor that is killed.
    pub(crate) fn is_for_supervisor(&self) -> bool {
        matches!(self, Fault::Time(_) | Fault::Step(_))
    }

    /// Waits for the moment and kills. Says what kind of fault it was, or nothing when the run
    /// ended before.
    pub(crate) fn strike(&self, running: &mut Running, steps: &mut Steps) -> Option<String> {
        let start = Instant::now();
        let mut seen = BTreeSet::new();
        while !running.has_ended() {
            let struck = match self {
                Fault::Time(moment) => {
                    let left = moment.saturating_sub(start.elapsed());
                    std::thread::sleep(left.min(PAUSE));
                    left.is_zero().then(|| supervisor(running, "at a time"))
                }
                Fault::Step(number) => {
                    (steps.done(PAUSE) >= *number).then(|| supervisor(running, "at a step"))
                }
                Fault::Process(number, age) => {
                    let alive = processes::of(running.pid());
                    let found = alive.into_iter().find(|one| {
                        seen.insert(one.pid);
                        seen.len() > *number
                    });
                    found.map(|found| {
                        std::thread::sleep(*age);
                        process(&found, "at an age")
                    })
                }
                Fault::ProcessAtStep(number) if steps.done(PAUSE) >= *number => {
                    let alive = processes::of(running.pid());
                    alive.first().map(|found| process(found, "at a step"))
                }
                Fault::ProcessAtStep(_) => None,
            };
            if struck.is_some() {
                return struck;
            }
        }
        None
    }
}

fn supervisor(running: &Running, when: &str) -> String {
    processes::kill(running.pid());
    format!("supervisor {when}")
}

fn process(found: &Process, when: &str) -> String {
    processes::kill(found.pid);
    format!("{} {when}", found.role)
}

//! Asking a copier what is on a carrier.

use std::time::{Duration, Instant};

use oms_sys::sealed::Sealed;
use oms_verify::reason::Reason;

use super::messages::{Order, Word};
use super::model::{SILENCE, Task};
use super::worker::{ENDING, wait_for_any};
use crate::cancel::Cancel;
use crate::handover::{MOST_SURVEY, Survey};
use crate::process::Role;

/// The models of a carrier, and the same as its copiers are told.
///
/// # Errors
/// When the carrier cannot be searched, or the process that does so fails.
pub fn survey(task: &Task<'_>, cancel: &Cancel) -> Result<(Survey, Sealed), Reason> {
    let mut copier = task.copier(None)?;
    copier.tell(&Order::Survey(task.means()), &[])?;
    let mut last = Instant::now();
    loop {
        cancel.check()?;
        if wait_for_any(&[copier.link()], Duration::from_millis(200))?.is_none() {
            if last.elapsed() > SILENCE {
                return Err(Role::Copier.is_silent());
            }
            continue;
        }
        last = Instant::now();
        match copier.link().next()? {
            None => return Err(copier.failure(ENDING)),
            Some((Word::Progress(_), _)) => {}
            Some((Word::Surveyed, mut with)) => {
                let sealed = with.sealed(MOST_SURVEY)?;
                with.end()?;
                copier.end(ENDING)?;
                return Ok((Survey::from_json(sealed.as_slice())?, sealed));
            }
            Some((Word::Failed(reason), _)) => return Err(Role::Copier.gave_up(reason)),
            Some(_) => return Err(Role::Copier.spoke_nonsense()),
        }
    }
}

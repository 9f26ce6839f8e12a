//! Asking a copier what is on a carrier.

use oms_sys::sealed::Sealed;
use oms_verify::reason::Reason;

use super::messages::{MOST_SEALED, Order, Word};
use super::model::{ENDING, Task};
use crate::cancel::Cancel;
use crate::handover::Survey;
use crate::process::Role;

/// The models of a carrier, and the same as its copiers are told.
///
/// # Errors
/// When the carrier cannot be searched, or the process that does so fails.
pub fn survey(task: &Task<'_>, cancel: &Cancel) -> Result<(Survey, Sealed), Reason> {
    let copier = task.copier(None)?;
    copier.wire().send(&Order::Survey(task.means()), None)?;
    loop {
        cancel.check()?;
        match copier.hear()? {
            None => {}
            Some((Word::Progress(_), _)) => {}
            Some((Word::Surveyed, mut with)) => {
                let sealed = with.sealed(MOST_SEALED)?;
                with.end()?;
                copier.end(ENDING)?;
                return Ok((Survey::from_json(sealed.as_slice())?, sealed));
            }
            Some((Word::Failed(reason), _)) => return Err(reason.read()?),
            Some(_) => return Err(Role::Copier.spoke_nonsense()),
        }
    }
}

//! Turning the table of calls into filters of the kernel.
//!
//! A filter has two answers, so there are three of them: one for each error, and the list of what
//! is allowed, which comes last. Where they differ the kernel takes the strictest answer.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::calls;
use crate::process::Role;

/// With which arguments a call is allowed. Arguments are counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// With any.
    Always,
    /// When this argument has this value.
    Is(u8, u64),
    /// When it has one of these.
    OneOf(u8, &'static [u64]),
    /// When it has none of these bits.
    Clear(u8, u64),
    /// When it has all of the former bits and none of the latter.
    Set(u8, u64, u64),
    /// When it is the number of this process.
    Own(u8),
}

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// the table cannot be made a program for this processor
    #[error("the filter of system calls cannot be made: {0}")]
    Compile(#[from] BackendError),
    /// the kernel did not take it
    #[error("the filter of system calls was not taken: {0}")]
    Apply(#[from] seccompiler::Error),
}

/// The filters of a role, ready for the kernel.
pub(super) struct Filters([BpfProgram; 3]);

/// Makes the filters of `role`, for this process.
pub(super) fn of(role: Role) -> Result<Filters, FilterError> {
    let answered = |calls: &[i64], errno: i32| {
        let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
        let action = SeccompAction::Errno(errno.cast_unsigned());
        program(rules, SeccompAction::Allow, action)
    };
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    // An empty list means always, which no condition may narrow.
    let mut always = Vec::new();
    for (call, when) in calls::allowed(role).iter().flat_map(|group| group.iter()) {
        let rules = rules(*when)?;
        if rules.is_empty() {
            always.push(*call);
        }
        allowed.entry(*call).or_default().extend(rules);
    }
    always.extend(calls::REFUSED.iter().chain(calls::ABSENT));
    allowed.extend(always.into_iter().map(|call| (call, Vec::new())));
    Ok(Filters([
        answered(calls::REFUSED, libc::EPERM)?,
        answered(calls::ABSENT, libc::ENOSYS)?,
        program(allowed, SeccompAction::KillProcess, SeccompAction::Allow)?,
    ]))
}

impl Filters {
    /// Puts them into force, the strictest last, since it allows no more filters.
    pub(super) fn enforce(&self) -> Result<(), FilterError> {
        for program in &self.0 {
            apply_filter(program)?;
        }
        Ok(())
    }
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

/// The rules that allow a call, of which one must hold. None means that it is always allowed.
fn rules(when: When) -> Result<Vec<SeccompRule>, BackendError> {
    let masked = |argument, mask, value| condition(argument, SeccompCmpOp::MaskedEq(mask), value);
    let is = |argument, value| condition(argument, SeccompCmpOp::Eq, value);
    let one_of = |argument, values: &[u64]| {
        values.iter().map(|value| SeccompRule::new(vec![is(argument, *value)?])).collect()
    };
    match when {
        When::Always => Ok(Vec::new()),
        When::Is(argument, value) => one_of(argument, &[value]),
        When::OneOf(argument, values) => one_of(argument, values),
        When::Clear(argument, bits) => {
            Ok(vec![SeccompRule::new(vec![masked(argument, bits, 0)?])?])
        }
        When::Set(argument, set, clear) => {
            Ok(vec![SeccompRule::new(vec![masked(argument, set | clear, set)?])?])
        }
        When::Own(argument) => one_of(argument, &[u64::from(std::process::id())]),
    }
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_filters_that_the_kernel_can_take() {
        for role in Role::ALL {
            let Filters(programs) = of(role).unwrap();
            // The kernel's limit of one program, in instructions.
            assert!(programs.iter().all(|program| (1..4096).contains(&program.len())), "{role}");
        }
    }
}

//! Which functions of a model call which: runtimes put a function in the place of its call. One that
//! calls itself, by whatever way, never ends, and some that each call the next one twice end too late.

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::visit::Operator;

/// How often each operator is used.
pub(super) type Counts = BTreeMap<Operator, u64>;

/// The calls out of each function.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<Operator, Counts>);

impl Calls {
    /// Adds what a function uses. The overloads of one function count as one that does as much as any.
    pub(super) fn add(&mut self, function: Operator, used: Counts) {
        let known = self.0.entry(function).or_default();
        for (operator, count) in used {
            let most = known.entry(operator).or_default();
            *most = count.max(*most);
        }
    }

    /// How many nodes there are when functions stand in the place of their calls, in a graph that uses
    /// `main`; or a function that leads back to itself.
    pub(super) fn laid_out(&self, main: &Counts) -> Result<u64, Operator> {
        let mut callers: BTreeMap<&Operator, Vec<&Operator>> = BTreeMap::new();
        let mut waiting: BTreeMap<&Operator, BTreeSet<&Operator>> = BTreeMap::new();
        // Those that call none are done, then those that call only what is done, and so on.
        let mut done = Vec::new();
        for (function, used) in &self.0 {
            let calls: BTreeSet<&Operator> =
                used.keys().filter(|operator| self.0.contains_key(*operator)).collect();
            for &operator in &calls {
                callers.entry(operator).or_default().push(function);
            }
            if calls.is_empty() {
                done.push(function);
            } else {
                waiting.insert(function, calls);
            }
        }
        let mut nodes: BTreeMap<&Operator, u64> = BTreeMap::new();
        while let Some(function) = done.pop() {
            let count = self.0.get(function).map_or(0, |used| total(used, &nodes));
            nodes.insert(function, count);
            for caller in callers.remove(function).unwrap_or_default() {
                if let Some(calls) = waiting.get_mut(caller)
                    && calls.remove(function)
                    && calls.is_empty()
                {
                    waiting.remove(caller);
                    done.push(caller);
                }
            }
        }
        match waiting.into_keys().next() {
            Some(function) => Err(function.clone()),
            None => Ok(total(main, &nodes)),
        }
    }
}

/// The nodes of what uses `used`, where functions have as many as `nodes` says.
fn total(used: &Counts, nodes: &BTreeMap<&Operator, u64>) -> u64 {
    used.iter().fold(0, |sum: u64, (operator, count)| {
        let each = nodes.get(operator).copied().unwrap_or(1).max(1);
        sum.saturating_add(count.saturating_mul(each))
    })
}

//! Which functions of a model call which: runtimes put a function in the place of its call, so that one
//! which calls itself, by whatever way, never ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::visit::Operator;

/// The calls out of each function.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<Operator, BTreeSet<Operator>>);

impl Calls {
    /// Adds what a function uses. The overloads of one function count as one.
    pub(super) fn add(&mut self, function: Operator, used: BTreeSet<Operator>) {
        self.0.entry(function).or_default().extend(used);
    }

    /// A function that leads back to itself.
    pub(super) fn circle(mut self) -> Option<Operator> {
        let defined: BTreeSet<Operator> = self.0.keys().cloned().collect();
        for used in self.0.values_mut() {
            used.retain(|operator| defined.contains(operator));
        }
        let mut callers: BTreeMap<Operator, Vec<Operator>> = BTreeMap::new();
        for (function, used) in &self.0 {
            for operator in used {
                callers.entry(operator.clone()).or_default().push(function.clone());
            }
        }
        // Those that call none are done, then those that call only what is done, and so on.
        let idle = |(function, used): (&Operator, &BTreeSet<Operator>)| {
            used.is_empty().then(|| function.clone())
        };
        let mut done: Vec<Operator> = self.0.iter().filter_map(idle).collect();
        while let Some(operator) = done.pop() {
            self.0.remove(&operator);
            for caller in callers.remove(&operator).unwrap_or_default() {
                if let Some(used) = self.0.get_mut(&caller)
                    && used.remove(&operator)
                    && used.is_empty()
                {
                    done.push(caller);
                }
            }
        }
        self.0.into_keys().next()
    }
}

//! Two traces, two runs or two ranges of time beside each other: what is new, gone, slower, faster, failing.

mod answer;
mod operations;
mod side;

pub use answer::{Change, Compare, ErrorChange, Operation, OperationChange, Side as ComparedSide};
pub use side::Side;

use std::collections::BTreeMap;

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;

use super::errors::{Key, fingerprint, gathered};
use super::question::{Kind, Question};
use crate::answer::Searched;
use crate::filter::{Filter, Term, one, wrong};
use crate::scan::{ANY_TIME, Asking, Scan, Stop};

use self::operations::{Operations, all_of};

/// Operations where nobody says how many.
const USUAL: usize = 100;

const FORM: &str =
    "a trace, `4bf92f3577b34da6`; a range, `-2h..-1h`; or words of the filter, `resource=ci.run.id=17 service=shop`";

pub(super) const KIND: Kind = Kind {
    name: "compare",
    text: "two traces, runs or ranges beside each other: operations that are new, gone, slower, faster or failing, and errors",
    filtered: true,
    parameters: &[one("a", FORM, "what was before"), one("b", FORM, "what is compared with it")],
    read: |parameters, now| {
        let mut side = |name| {
            let text = parameters.one(name)?.filter(|text| !text.trim().is_empty());
            Side::parse(name, &text.ok_or_else(|| wrong(name, "", "is missing: compare what?"))?, now)
        };
        let (a, b) = (side("a")?, side("b")?);
        Ok(Box::new(CompareQuestion { a, b, filter: Filter::read(parameters, now)? }))
    },
};

/// Two sides beside each other.
#[derive(Clone, Debug)]
pub struct CompareQuestion {
    /// What was before.
    pub a: Side,
    /// What is compared with it.
    pub b: Side,
    /// What must hold of the spans of both; [`Filter::limit`] says how many operations.
    pub filter: Filter,
}

impl Question for CompareQuestion {
    type Answer = Compare;

    fn ask(&self, asking: &Asking<'_>) -> Result<Compare> {
        let (a, b) = (self.side(asking, "a", &self.a)?, self.side(asking, "b", &self.b)?);
        let mut hints = Vec::new();
        for (name, side, of) in [("a", &self.a, &a), ("b", &self.b, &b)] {
            if of.spans == 0 {
                hints.push(format!("{name}: no span is of {side}"));
            }
        }
        let mut answer = Compare {
            a: a.summary(&self.a),
            b: b.summary(&self.b),
            operations: operations::compared(a, b),
            errors: self.errors(asking)?,
            searched: Searched::default(),
        };
        let most = asking.rows_of(self.filter.limit, USUAL);
        if answer.operations.len() > most {
            asking.stop(Stop::Limit);
            answer.operations.truncate(most);
        }
        answer.searched = Searched::of(asking, &self.filter);
        answer.searched.hints = hints;
        Ok(answer)
    }
}

impl CompareQuestion {
    fn terms(&self, side: &Side, signal: Signal) -> Result<Vec<Term>> {
        let mut terms = side.terms(signal)?;
        terms.extend(self.filter.terms(signal)?);
        Ok(terms)
    }

    fn side(&self, asking: &Asking<'_>, name: &str, side: &Side) -> Result<Operations> {
        let terms = self.terms(side, Signal::Traces)?;
        let scan = Scan { asking, signal: Signal::Traces, terms, bound: None, within: ANY_TIME };
        let all = all_of(scan.run(|| operations::Gathering::new(asking))?);
        if let (Side::Trace(prefix), [_, _, ..]) = (side, all.traces.as_slice()) {
            return Err(wrong(
                name,
                &prefix.to_string(),
                "is the beginning of several traces: write more of its digits",
            ));
        }
        Ok(all)
    }

    /// Groups of exceptions of which one side has more than the other.
    fn errors(&self, asking: &Asking<'_>) -> Result<Vec<ErrorChange>> {
        let mut counts: BTreeMap<Key, [u64; 2]> = BTreeMap::new();
        for (at, side) in [&self.a, &self.b].into_iter().enumerate() {
            let terms = |signal| self.terms(side, signal);
            let found = gathered(asking, &[Signal::Traces, Signal::Logs], &terms, self.filter.order, 0, None)?;
            found.groups.into_iter().for_each(|(key, group)| counts.entry(key).or_default()[at] += group.count);
        }
        let change = |(key, [a, b]): (Key, [u64; 2])| ErrorChange {
            group: format!("{:016x}", fingerprint(&key)),
            exception_type: key.0.into(),
            message: key.1.into(),
            frame: key.2.map(Into::into),
            a,
            b,
        };
        let mut changes: Vec<ErrorChange> = counts.into_iter().filter(|(_, [a, b])| a != b).map(change).collect();
        // What only one side has first, then by how many more.
        changes.sort_by_key(|change| (change.a > 0 && change.b > 0, std::cmp::Reverse(change.a.abs_diff(change.b))));
        changes.truncate(USUAL);
        Ok(changes)
    }
}

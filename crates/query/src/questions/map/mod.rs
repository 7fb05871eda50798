//! Which services call which, with rate, errors and durations: the service map.

mod answer;
mod gather;
mod join;

pub use answer::{Edge, EdgeKind, MapNode, NodeKind, ServiceMap};

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;

use super::hints;
use super::question::{Kind, Question};
use crate::answer::Searched;
use crate::filter::{Filter, Nanos, TextTest};
use crate::scan::{ANY_TIME, Asking, Scan, Stop};

use self::gather::{Called, Calls};
use self::join::Joined;

/// A call may have begun so long before what it leads to.
const BEFORE: Nanos = 300 * 1_000_000_000;

pub(super) const KIND: Kind = Kind {
    name: "map",
    text: "which services call which, with rate, errors and durations; what they call that sends nothing itself; links",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(MapQuestion { filter: Filter::read(parameters, now)? })),
};

/// Which services call which.
///
/// An edge is a span of another service than its parent. A client or producer span without children leads to what it names:
/// a database, a queue, a host. A link to a span of another service is an edge of its own kind.
#[derive(Clone, Debug, Default)]
pub struct MapQuestion {
    /// Which calls count: the span of the side that is called, or that calls what sends nothing itself. `service` is one of
    /// both sides.
    pub filter: Filter,
}

impl Question for MapQuestion {
    type Answer = ServiceMap;

    fn ask(&self, asking: &Asking<'_>) -> Result<ServiceMap> {
        let which = Filter { service: Vec::new(), from: None, to: None, ..self.filter.clone() };
        let terms = which.terms(Signal::Traces)?;
        // Parents are found whatever is asked of their children, so everything of the time is read.
        let around = Filter {
            from: self.filter.from.map(|from| from.saturating_sub(BEFORE)),
            to: self.filter.to,
            ..Filter::default()
        };
        let scan = Scan {
            asking,
            signal: Signal::Traces,
            terms: around.terms(Signal::Traces)?,
            bound: None,
            within: ANY_TIME,
        };
        let mut joined = Joined::default();
        for calls in scan.run(|| Calls::new(asking))? {
            joined.append(calls);
        }
        let only = match terms.is_empty() {
            true => None,
            false => {
                let mut terms = terms;
                terms.extend(around.terms(Signal::Traces)?);
                let scan = Scan { asking, signal: Signal::Traces, terms, bound: None, within: ANY_TIME };
                Some(scan.run(Called::default)?.into_iter().flat_map(|called| called.0).collect())
            }
        };
        let (mut nodes, mut edges) = joined.finish(&self.filter, only.as_ref());
        if !self.filter.service.is_empty() {
            let wanted = |name: &str| TextTest::any(&self.filter.service, name);
            edges.retain(|edge| wanted(&edge.from) || wanted(&edge.to));
            nodes.retain(|node| {
                wanted(&node.name) || edges.iter().any(|edge| edge.from == node.name || edge.to == node.name)
            });
        }
        let most = asking.rows_of(self.filter.limit, usize::MAX);
        if edges.len() > most {
            asking.stop(if self.filter.limit.is_some_and(|limit| limit <= most) { Stop::Limit } else { Stop::MaxRows });
            edges.truncate(most);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if nodes.is_empty() {
            searched.hints = hints::of(asking, Signal::Traces, &self.filter)?;
        }
        Ok(ServiceMap { nodes, edges, searched })
    }
}

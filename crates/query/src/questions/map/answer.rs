//! What the question for the service map is answered with.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use serde::Serialize;

use super::super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::record::{Form, as_nanos};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// It sends spans.
    Service,
    /// A database that is called.
    Database,
    /// A queue or a topic that is called.
    Messaging,
    /// Anything else that is called and sends nothing.
    External,
}

impl NodeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeKind::Service => "service",
            NodeKind::Database => "database",
            NodeKind::Messaging => "messaging",
            NodeKind::External => "external",
        }
    }
}

/// What an edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// One calls the other.
    Call,
    /// A span of the second links to one of the first: drawn dashed.
    Link,
}

impl EdgeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            EdgeKind::Call => "call",
            EdgeKind::Link => "link",
        }
    }
}

/// A service, or what one calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapNode {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Its spans; 0 of what sends none.
    pub spans: u64,
    /// How many of these are errors.
    pub errors: u64,
}

/// Calls from one to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// What that is.
    pub to_kind: NodeKind,
    /// Whether it is a call or a link.
    pub kind: EdgeKind,
    /// How many.
    pub requests: u64,
    /// With what sampling left out counted in.
    pub weighted_requests: f64,
    /// A second, of the time that was asked for, else from the first span to the last one.
    pub rate: f64,
    /// How many are errors.
    pub errors: u64,
    /// Their share, 0 to 1.
    pub error_share: f64,
    /// Half of them took at most so many nanoseconds.
    #[serde(serialize_with = "as_nanos")]
    pub p50: Option<i64>,
    /// 95 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p95: Option<i64>,
    /// 99 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p99: Option<i64>,
}

/// Services and what they call.
#[derive(Clone, Debug)]
pub struct ServiceMap {
    /// Services, then what they call, by name.
    pub nodes: Vec<MapNode>,
    /// By name of who calls, then of who is called.
    pub edges: Vec<Edge>,
    /// What was searched.
    pub searched: Searched,
}

impl Answer for ServiceMap {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.edges.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.edges.iter();
        Table::default()
            .text("from", all().map(|edge| edge.from.as_str()))
            .text("to", all().map(|edge| edge.to.as_str()))
            .text("to_kind", all().map(|edge| edge.to_kind.as_str()))
            .text("kind", all().map(|edge| edge.kind.as_str()))
            .u64s("requests", all().map(|edge| edge.requests))
            .f64s("weighted_requests", all().map(|edge| edge.weighted_requests))
            .f64s("rate", all().map(|edge| edge.rate))
            .u64s("errors", all().map(|edge| edge.errors))
            .f64s("error_share", all().map(|edge| edge.error_share))
            .optional_i64s("p50", all().map(|edge| edge.p50))
            .optional_i64s("p95", all().map(|edge| edge.p95))
            .optional_i64s("p99", all().map(|edge| edge.p99))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            nodes: &'a [MapNode],
            edges: &'a [Edge],
            searched: &'a Searched,
        }
        json(form, out, &Shown { nodes: &self.nodes, edges: &self.edges, searched: &self.searched })
    }
}

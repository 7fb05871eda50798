//! What OTAP has no place for, counted.

/// A reason why a record does not arrive as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its resource has entity references, for which the protocol has no column.
    EntityRefs,
    /// Its metric has metadata, which Go's decoder refuses.
    MetricMetadata,
    /// An array or map is nested deeper, or has more members, than Go's reader of CBOR takes: it is sent as a text of JSON.
    Nesting,
    /// A NaN or a zero whose bits had to be altered, as readers do not agree on which of them are equal.
    Doubles,
}

impl Loss {
    /// Every reason.
    pub const ALL: [Loss; 4] = [Loss::EntityRefs, Loss::MetricMetadata, Loss::Nesting, Loss::Doubles];

    /// Its name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Loss::EntityRefs => "entity_refs",
            Loss::MetricMetadata => "metric_metadata",
            Loss::Nesting => "nested_too_deep",
            Loss::Doubles => "double_bits",
        }
    }

    /// What happened, for a person, behind how often it did.
    pub const fn text(self) -> &'static str {
        match self {
            Loss::EntityRefs => "a record without the entity references of its resource: OTAP has no place for them",
            Loss::MetricMetadata => "a data point without the metadata of its metric: a Collector does not take it",
            Loss::Nesting => {
                "a value as a text of JSON: it is nested deeper, or has more members, than a Collector reads"
            }
            Loss::Doubles => {
                "a NaN with other bits or a zero with the other sign: readers do not agree which are equal"
            }
        }
    }
}

/// How many records, or of [`Loss::Nesting`] and [`Loss::Doubles`] values, did not fit into a batch as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost([u64; Loss::ALL.len()]);

impl Lost {
    /// How many for a reason.
    pub fn of(&self, loss: Loss) -> u64 {
        self.0[loss as usize]
    }

    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// So many more.
    pub fn add(&mut self, loss: Loss, count: u64) {
        self.0[loss as usize] += count;
    }

    /// Those of another batch as well.
    pub fn add_all(&mut self, other: Self) {
        for loss in Loss::ALL {
            self.add(loss, other.of(loss));
        }
    }
}

//! Quantiles and exemplars of a checked batch.

use std::ops::Range;

use super::{Exemplars, Quantiles};
use crate::batch;
use crate::decode::fill::copy;

impl Quantiles {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Quantiles<'_>, range: Range<usize>) {
        for at in range {
            self.quantile.push(from.quantile.or_zero(at));
            self.value.push(from.value.or_zero(at));
        }
    }
}

impl Exemplars {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Exemplars<'_>, range: Range<usize>) {
        copy::times(&mut self.time, &from.time, range.clone());
        copy::ids(&mut self.trace_id, &from.trace_id, range.clone());
        copy::ids(&mut self.span_id, &from.span_id, range.clone());
        for at in range {
            let int = from.value_int.get(at);
            self.value.push_option(int.map(|int| int as f64).or_else(|| from.value.get(at)));
            self.value_int.push_option(int);
            copy::attributes(&mut self.attributes, &from.attributes, at);
            copy::plain_types(&mut self.types, &from.attributes, at);
        }
    }
}

//! Lists below data points: quantiles and exemplars.

use std::ops::Range;

use arrow_array::StructArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};

use super::attributes::{Attributes, Known};
use super::cells::{Ids, Numbers};
use super::context::Context;
use super::error::{BatchError, Checked};
use super::find::Finder;
use super::lists::without_null;
use super::logs::TIME;
use crate::counts::Children;
use crate::schema;

/// The elements of `quantiles`.
pub(crate) struct Quantiles<'a> {
    structs: &'a StructArray,
    pub(crate) quantile: Numbers<'a, Float64Type>,
    pub(crate) value: Numbers<'a, Float64Type>,
}

/// The elements of `exemplars`.
pub(crate) struct Exemplars<'a> {
    structs: &'a StructArray,
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) value: Numbers<'a, Float64Type>,
    pub(crate) value_int: Numbers<'a, Int64Type>,
    pub(crate) trace_id: Ids<'a, 16>,
    pub(crate) span_id: Ids<'a, 8>,
    pub(crate) attributes: Attributes<'a>,
}

impl<'a> Quantiles<'a> {
    pub(super) fn of(structs: &'a StructArray) -> Result<Self, BatchError> {
        let fields = schema::quantile_fields();
        let mut columns = Finder::new("quantiles", &fields, structs.fields(), structs.columns())?;
        Ok(Self {
            structs,
            quantile: Numbers::required(&mut columns, "quantiles.quantile", "Float64")?,
            value: Numbers::required(&mut columns, "quantiles.value", "Float64")?,
        })
    }

    pub(super) fn check(&self, row: usize, range: Range<usize>, size: &mut Children) -> Checked<()> {
        without_null(self.structs, "quantiles", row, &range)?;
        size.items += range.len();
        self.quantile.check(range.clone()).map_err(|flaw| flaw.at(row))?;
        Ok(self.value.check(range).map_err(|flaw| flaw.at(row))?)
    }
}

impl<'a> Exemplars<'a> {
    pub(super) fn of(structs: &'a StructArray) -> Result<Self, BatchError> {
        let fields = schema::exemplar_fields();
        let mut columns = Finder::new("exemplars", &fields, structs.fields(), structs.columns())?;
        Ok(Self {
            structs,
            time: Numbers::required(&mut columns, "exemplars.time", TIME)?,
            value: Numbers::optional(&mut columns, "exemplars.value", "Float64")?,
            value_int: Numbers::optional(&mut columns, "exemplars.value_int", "Int64")?,
            trace_id: Ids::optional(&mut columns, "exemplars.trace_id")?,
            span_id: Ids::optional(&mut columns, "exemplars.span_id")?,
            attributes: Attributes::of(&mut columns, "exemplars.attributes", "exemplars.attribute_types")?,
        })
    }

    pub(super) fn check(
        &self,
        context: &Context,
        known: &mut Known<'a>,
        row: usize,
        range: Range<usize>,
        size: &mut Children,
    ) -> Checked<()> {
        without_null(self.structs, "exemplars", row, &range)?;
        size.items += range.len();
        let check = || -> Checked<()> {
            self.time.check(range.clone())?;
            self.trace_id.check(range.clone())?;
            self.span_id.check(range.clone())?;
            range.into_iter().try_for_each(|at| self.attributes.check(context, known, at, &mut size.attributes))
        };
        check().map_err(|bad| bad.at(row))
    }
}

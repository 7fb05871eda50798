//! Data points of a checked batch.

use super::{Metrics, Side};
use crate::batch;
use crate::decode::fill::copy::{self, Memo};
use crate::names::{METRIC_TYPES, TEMPORALITIES};

impl Metrics {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Metrics<'_>, rows: usize, memo: &mut Memo) {
        copy::texts(memo, &mut self.name, &from.name, rows);
        copy::texts(memo, &mut self.description, &from.description, rows);
        copy::texts(memo, &mut self.unit, &from.unit, rows);
        copy::names(memo, &mut self.kind, &from.kind, rows, &METRIC_TYPES);
        copy::names(memo, &mut self.temporality, &from.temporality, rows, &TEMPORALITIES);
        copy::dictionary(memo, &mut self.metadata, &from.metadata, rows, |to, text| {
            (!batch::is_empty(text)).then(|| to.key(text))
        });
        copy::known_times(&mut self.start_time, &from.start_time, rows);
        copy::times(&mut self.time, &from.time, 0..rows);
        for row in 0..rows {
            self.monotonic.fill(from.monotonic.get(row), 1);
            copy::attributes(&mut self.attributes, &from.attributes, row);
            let int = from.value_int.get(row);
            self.value.push_option(int.map(|int| int as f64).or_else(|| from.value.get(row)));
            self.value_int.push_option(int);
        }
        self.copy_quantiles(from, rows);
        self.copy_exemplars(from, rows);
        copy::types(memo, &mut self.attribute_types, &from.attributes, rows);
        copy::counters(&mut self.flags, &from.flags, 0..rows);
        copy::numbers(&mut self.count, &from.count, rows);
        copy::numbers(&mut self.sum, &from.sum, rows);
        copy::numbers(&mut self.min, &from.min, rows);
        copy::numbers(&mut self.max, &from.max, rows);
        copy::lists(&mut self.bucket_counts, &from.bucket_counts, rows);
        copy::lists(&mut self.explicit_bounds, &from.explicit_bounds, rows);
        copy::numbers(&mut self.scale, &from.scale, rows);
        copy::numbers(&mut self.zero_count, &from.zero_count, rows);
        copy::numbers(&mut self.zero_threshold, &from.zero_threshold, rows);
        self.positive.copy(&from.positive, rows);
        self.negative.copy(&from.negative, rows);
    }
}

impl Metrics {
    fn copy_quantiles(&mut self, from: &batch::Metrics<'_>, rows: usize) {
        if from.quantile_lists.are_null() {
            return self.quantile_lists.push_nulls(rows);
        }
        for row in 0..rows {
            if let Some(quantiles) = &from.quantiles {
                self.quantiles.copy(quantiles, from.quantile_lists.range(row));
            }
            match from.quantile_lists.is_null(row) {
                true => self.quantile_lists.push_nulls(1),
                false => self.quantile_lists.push(self.quantiles.len()),
            }
        }
    }

    fn copy_exemplars(&mut self, from: &batch::Metrics<'_>, rows: usize) {
        if from.exemplar_lists.are_null() {
            return self.exemplar_lists.push_nulls(rows);
        }
        for row in 0..rows {
            if let Some(exemplars) = &from.exemplars {
                self.exemplars.copy(exemplars, from.exemplar_lists.range(row));
            }
            self.exemplar_lists.push_known(self.exemplars.len());
        }
    }
}

impl Side {
    fn copy(&mut self, from: &batch::Side<'_>, rows: usize) {
        copy::numbers(&mut self.offset, &from.offset, rows);
        copy::lists(&mut self.counts, &from.counts, rows);
    }
}

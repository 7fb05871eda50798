//! Metrics and their data points in the first pass.

use otlp_arrow_wire::read::{Cursor, Wire, fields};

use super::Checker;
use super::value::Names;

const ATTRIBUTES: Names = Names { key: "attributes.key", value: "attributes.value" };
const EXEMPLARS: Names =
    Names { key: "exemplars.filtered_attributes.key", value: "exemplars.filtered_attributes.value" };
const METADATA: Names = Names { key: "metadata.key", value: "metadata.value" };

/// Lists of numbers, by position in `Counts::numbers`.
const BUCKETS: usize = 0;
const BOUNDS: usize = 1;
const POSITIVE: usize = 2;
const NEGATIVE: usize = 3;

type Point<'a> = fn(&mut Checker<'a>, Cursor<'a>) -> Wire<()>;

impl<'a> Checker<'a> {
    /// A `Metric`. Its name, unit and the like are shared by its points; a flaw in them refuses all points.
    pub(super) fn metric(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.mark();
        let mut flaw = None;
        let mut text = 0;
        let mut kinds = 0;
        let mut metadata = 2;
        while !cursor.done() {
            let point: (Point<'a>, u64) = match cursor.key()? {
                key @ (0x0a | 0x12 | 0x1a) => {
                    let field = match key {
                        0x0a => "metric.name",
                        0x12 => "metric.description",
                        _ => "metric.unit",
                    };
                    self.flaw = None;
                    text += self.text(&mut cursor, field)?;
                    flaw = flaw.or(self.flaw);
                    continue;
                }
                0x2a => (Self::number_point, fields([1])),
                0x3a => (Self::number_point, fields([1, 2, 3])),
                0x4a => (Self::histogram_point, fields([1, 2])),
                0x52 => (Self::exponential_point, fields([1, 2])),
                0x5a => (Self::summary_point, fields([1])),
                0x62 => {
                    self.flaw = None;
                    metadata += self.json_attribute(cursor.message()?, &METADATA, 0)?;
                    flaw = flaw.or(self.flaw);
                    continue;
                }
                key => {
                    cursor.skip(key, fields([1, 2, 3, 5, 7, 9, 10, 11, 12]))?;
                    continue;
                }
            };
            kinds += 1;
            let data = cursor.message()?;
            self.points(data, point)?;
        }
        self.close_group(&before, flaw, text + metadata, kinds)
    }

    /// `Gauge`, `Sum` and so on: points in field 1, then temporality and whether it is monotonic.
    fn points(&mut self, mut cursor: Cursor<'a>, (point, known): (Point<'a>, u64)) -> Wire<()> {
        while !cursor.done() {
            match cursor.key()? {
                0x0a => point(self, cursor.message()?)?,
                key @ (0x10 | 0x18) if known >> (key >> 3) & 1 == 1 => drop(cursor.varint()?),
                key => cursor.skip(key, known)?,
            }
        }
        Ok(())
    }

    fn number_point(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        while !cursor.done() {
            match cursor.key()? {
                0x11 | 0x19 | 0x21 | 0x31 => drop(cursor.fixed64()?),
                0x2a => self.exemplar(cursor.message()?)?,
                0x3a => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x40 => drop(cursor.varint()?),
                key => self.other(&mut cursor, key, fields([2, 3, 4, 5, 6, 7, 8]))?,
            }
        }
        self.close_record(&before)
    }

    fn histogram_point(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        while !cursor.done() {
            match cursor.key()? {
                0x11 | 0x19 | 0x21 | 0x29 | 0x59 | 0x61 => drop(cursor.fixed64()?),
                0x32 => self.packed64(&mut cursor, BUCKETS)?,
                0x31 => self.unpacked64(&mut cursor, BUCKETS)?,
                0x3a => self.packed64(&mut cursor, BOUNDS)?,
                0x39 => self.unpacked64(&mut cursor, BOUNDS)?,
                0x42 => self.exemplar(cursor.message()?)?,
                0x4a => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x50 => drop(cursor.varint()?),
                key => self.other(&mut cursor, key, fields([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))?,
            }
        }
        self.close_record(&before)
    }

    fn exponential_point(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        let mut buckets = [0_usize; 2];
        while !cursor.done() {
            match cursor.key()? {
                0x0a => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x11 | 0x19 | 0x21 | 0x29 | 0x39 | 0x61 | 0x69 | 0x71 => drop(cursor.fixed64()?),
                0x30 | 0x50 => drop(cursor.varint()?),
                0x42 => {
                    buckets[0] += 1;
                    self.buckets(cursor.message()?, POSITIVE)?;
                }
                0x4a => {
                    buckets[1] += 1;
                    self.buckets(cursor.message()?, NEGATIVE)?;
                }
                0x5a => self.exemplar(cursor.message()?)?,
                key => self.other(&mut cursor, key, fields([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]))?,
            }
        }
        for times in buckets {
            self.merges += times.saturating_sub(1);
        }
        self.close_record(&before)
    }

    fn summary_point(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        while !cursor.done() {
            match cursor.key()? {
                0x11 | 0x19 | 0x21 | 0x29 => drop(cursor.fixed64()?),
                0x32 => self.quantile(cursor.message()?)?,
                0x3a => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x40 => drop(cursor.varint()?),
                key => self.other(&mut cursor, key, fields([2, 3, 4, 5, 6, 7, 8]))?,
            }
        }
        self.close_record(&before)
    }

    fn quantile(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        self.counts.children[1].items += 1;
        while !cursor.done() {
            match cursor.key()? {
                0x09 | 0x11 => drop(cursor.fixed64()?),
                key => cursor.skip(key, fields([1, 2]))?,
            }
        }
        Ok(())
    }

    fn exemplar(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        self.inner_keys.clear();
        let (mut trace_id, mut span_id) = (0, 0);
        while !cursor.done() {
            match cursor.key()? {
                0x11 | 0x19 | 0x31 => drop(cursor.fixed64()?),
                0x22 => span_id = cursor.block()?.len(),
                0x2a => trace_id = cursor.block()?.len(),
                0x3a => self.inner_attribute(&mut cursor, 0, &EXEMPLARS)?,
                key => cursor.skip(key, fields([2, 3, 4, 5, 6, 7]))?,
            }
        }
        self.id(trace_id, 16, "exemplars.trace_id");
        self.id(span_id, 8, "exemplars.span_id");
        self.counts.children[0].items += 1;
        Ok(())
    }

    /// The buckets of one side of an exponential histogram.
    fn buckets(&mut self, mut cursor: Cursor<'a>, list: usize) -> Wire<()> {
        while !cursor.done() {
            match cursor.key()? {
                0x08 => drop(cursor.varint()?),
                0x12 => {
                    let mut packed = cursor.message()?;
                    while !packed.done() {
                        packed.varint()?;
                        self.counts.numbers[list] += 1;
                    }
                }
                0x10 => {
                    cursor.varint()?;
                    self.counts.numbers[list] += 1;
                }
                key => cursor.skip(key, fields([1, 2]))?,
            }
        }
        Ok(())
    }

    fn packed64(&mut self, cursor: &mut Cursor<'a>, list: usize) -> Wire<()> {
        let block = cursor.block()?;
        if !block.len().is_multiple_of(8) {
            return cursor.malformed("a packed list of eight-byte numbers with a part of one");
        }
        self.counts.numbers[list] += block.len() / 8;
        Ok(())
    }

    fn unpacked64(&mut self, cursor: &mut Cursor<'a>, list: usize) -> Wire<()> {
        cursor.fixed64()?;
        self.counts.numbers[list] += 1;
        Ok(())
    }
}

//! What a destination answered, and what that means for the data.
//!
//! The three classes of failure differ in what happens to the data: refused data is set aside, a refusing destination
//! keeps the cursor where it is, and a passing failure is tried again.

use std::ops::Range;
use std::time::Duration;

/// What to do with the data after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Delivered. `rejected` records were refused by the destination and are not sent again.
    Delivered {
        /// Records the destination refused in a partial success.
        rejected: u64,
    },
    /// This data is refused for good.
    Data,
    /// The request is too large: it is split; a single record that is still too large is refused data.
    TooLarge,
    /// The destination refuses everything until somebody changes something.
    Destination,
    /// These records came through the destination, or it is this recorder itself: it does not take them again.
    Loop,
    /// Some of these records are refused, and the answer does not say which: the request is split. A single record that is
    /// refused so is never held against the destination.
    Mixed,
    /// It may work later; `after` is what the destination asked for.
    Passing {
        /// RetryInfo or Retry-After.
        after: Option<Duration>,
    },
}

/// What a destination answered, or why it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means for the data: for all of it that `records` does not name.
    pub class: Class,
    /// The destination's words, or ours where it had none; for people.
    pub message: String,
    /// Records that were answered on their own, by destinations that do so.
    pub records: Vec<RecordAnswer>,
}

/// What became of one record of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAnswer {
    /// Its position in the request, from 0.
    pub record: u64,
    /// What it means for this record.
    pub class: Class,
    /// Why, for people.
    pub message: String,
}

/// Records of a request that share one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) class: Class,
    /// The words of the first of them.
    pub(crate) message: String,
    /// Their positions in the request, in order.
    pub(crate) records: Vec<Range<u64>>,
}

impl Answer {
    /// One answer to the whole request.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), records: Vec::new() }
    }

    /// Everything was taken.
    pub fn delivered() -> Self {
        Self::new(Class::Delivered { rejected: 0 }, "")
    }

    /// It did not work, and may work later.
    pub fn passing(message: impl Into<String>) -> Self {
        Self::new(Class::Passing { after: None }, message)
    }

    /// What the answer means for the destination, whatever it means for single records: a request of which anything was
    /// taken or judged was answered.
    pub(crate) fn overall(&self, records: u64) -> Class {
        if self.records.is_empty() {
            return self.class.clone();
        }
        let groups = self.groups(records);
        let is = |wanted: fn(&Class) -> bool| groups.iter().map(|group| &group.class).find(|class| wanted(class));
        let refuses = is(|class| *class == Class::Destination);
        let answered = is(|class| matches!(class, Class::Delivered { .. })).or(is(|class| *class == Class::Data));
        refuses.or(answered).or(groups.first().map(|group| &group.class)).unwrap_or(&self.class).clone()
    }

    /// What the answer means for the request as one: it is not delivered before each of its records is.
    pub(crate) fn to_all(&self, records: u64) -> Class {
        match self.overall(records) {
            Class::Delivered { .. } => {
                let mut classes = self.records.iter().map(|answer| &answer.class).chain([&self.class]);
                classes.find(|class| !matches!(class, Class::Delivered { .. })).unwrap_or(&self.class).clone()
            }
            class => class,
        }
    }

    /// The records of a request of `records` records by their fate: at most one group for each kind of class.
    pub(crate) fn groups(&self, records: u64) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut add = |range: Range<u64>, class: Class, message: &str| {
            if range.is_empty() {
                return;
            }
            // One record cannot be split.
            let alone = range.end - range.start == 1 && matches!(class, Class::TooLarge | Class::Mixed);
            let class = if alone { Class::Data } else { class };
            let like = |group: &&mut Group| std::mem::discriminant(&group.class) == std::mem::discriminant(&class);
            let Some(group) = groups.iter_mut().find(like) else {
                groups.push(Group { class, message: message.to_owned(), records: vec![range] });
                return;
            };
            match (&mut group.class, class) {
                (Class::Delivered { rejected: so_far }, Class::Delivered { rejected }) => {
                    *so_far = rejected.max(*so_far)
                }
                (Class::Passing { after: so_far }, Class::Passing { after }) => *so_far = (*so_far).max(after),
                _ => {}
            }
            match group.records.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => group.records.push(range),
            }
        };
        let mut named: Vec<&RecordAnswer> = self.records.iter().filter(|answer| answer.record < records).collect();
        named.sort_by_key(|answer| answer.record);
        named.dedup_by_key(|answer| answer.record);
        let mut next = 0;
        for answer in named {
            add(next..answer.record, self.class.clone(), &self.message);
            add(answer.record..answer.record + 1, answer.class.clone(), &answer.message);
            next = answer.record + 1;
        }
        add(next..records, self.class.clone(), &self.message);
        groups
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range of records")]
mod tests {
    use super::*;

    const DELIVERED: Class = Class::Delivered { rejected: 0 };

    fn record(record: u64, class: Class, message: &str) -> RecordAnswer {
        RecordAnswer { record, class, message: message.to_owned() }
    }

    fn passing(seconds: u64) -> Class {
        Class::Passing { after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn an_answer_to_the_whole_request_is_one_group() {
        let answer = Answer::new(Class::Data, "no");
        let groups = answer.groups(3);
        assert_eq!(groups, [Group { class: Class::Data, message: "no".into(), records: vec![0..3] }]);
        assert_eq!(answer.overall(3), Class::Data);
    }

    #[test]
    fn records_of_one_fate_are_one_group_with_the_words_of_the_first() {
        let records = vec![
            record(4, passing(1), "busy"),
            record(1, Class::Data, "bad field"),
            record(2, Class::Data, "another"),
            record(9, Class::Data, "beyond the request"),
            record(6, passing(3), "busier"),
            record(5, Class::TooLarge, "one record too large"),
        ];
        let answer = Answer { records, ..Answer::delivered() };
        let group = |class, message: &str, records| Group { class, message: message.to_owned(), records };
        let first_and_others = [0..1, 3..4, 7..8].to_vec();
        assert_eq!(
            answer.groups(8),
            [
                group(DELIVERED, "", first_and_others),
                group(Class::Data, "bad field", vec![1..3, 5..6]),
                group(passing(3), "busy", vec![4..5, 6..7]),
            ]
        );
        assert_eq!(answer.overall(8), DELIVERED, "it answers");
    }

    #[test]
    fn a_destination_that_refuses_one_record_as_it_would_all_refuses() {
        let answer = Answer { records: vec![record(0, Class::Destination, "no index")], ..Answer::delivered() };
        assert_eq!(answer.overall(2), Class::Destination);
        let busy = Answer { records: vec![record(1, passing(2), "busy")], ..Answer::passing("busy") };
        assert_eq!(busy.overall(2), passing(2), "nothing was taken");
        let refused = Answer { records: vec![record(1, Class::Data, "bad")], ..Answer::passing("busy") };
        assert_eq!(refused.overall(2), Class::Data, "one was judged");
    }
}

//! The steps, each with its number.

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// What a step does. Its number is what the tape holds, and what TypeScript's constant of its name is.
        ///
        /// A *field* begins with the tag of the step. An *attribute* is a `KeyValue` field, whose key is the argument: its
        /// place among the keys defined so far.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Step {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Step {
            /// Every step, by number.
            pub const ALL: &[Step] = &[$(Step::$name),+];

            /// The step of a number; `None` if there is none.
            #[inline]
            pub const fn of(number: u32) -> Option<Step> {
                match number {
                    $($number => Some(Step::$name),)+
                    _ => None,
                }
            }

            /// Its name in TypeScript, and what it does.
            pub(super) const fn described(self) -> (&'static str, &'static str) {
                match self {
                    $(Step::$name => (stringify!($name), concat!($($doc),+)),)+
                }
            }
        }
    };
}

steps! {
    /// Starts a message as a field.
    Open = 0,
    /// Ends the message that was started last.
    Close = 1,
    /// A field of text, of as many UTF-16 units as the argument says.
    Text = 2,
    /// A field with the bytes of a hexadecimal id of 16 or 32 digits; the argument says how many.
    Id = 3,
    /// A field with what is not an id, so that its record is refused.
    BadId = 4,
    /// Defines the next key, a text of as many units as the argument says.
    Key = 5,
    /// Begins a new table of keys.
    ForgetKeys = 6,
    /// An attribute with a text, of as many units as the next word says.
    AttributeText = 7,
    /// An attribute with a signed integer, the next word.
    AttributeInt = 8,
    /// An attribute with an integer of 64 bits, the next two words.
    AttributeInt64 = 9,
    /// An attribute with a double, the next two words.
    AttributeDouble = 10,
    /// An attribute with false.
    AttributeFalse = 11,
    /// An attribute with true.
    AttributeTrue = 12,
    /// An attribute whose value follows as field 2, and is ended by Close.
    AttributeOpen = 13,
    /// A field of an unsigned integer, the argument, as a varint.
    Varint = 14,
    /// A field of 64 bits, the next two words, as a varint.
    Varint64 = 15,
    /// A field of 32 bits, the argument.
    Fixed32 = 16,
    /// A field of 64 bits, the next two words.
    Fixed64 = 17,
    /// A field of nanoseconds since 1970, from the seconds and nanoseconds in the next two words.
    Time = 18,
    /// A field of as many bytes as the argument says.
    Bytes = 19,
    /// A packed field of 64 bits each: as many pairs of words follow as the argument says.
    PackedCounts = 20,
    /// The same of doubles, which are remembered.
    PackedDoubles = 21,
    /// The same as varints.
    PackedVarints = 22,
    /// A packed field of the doubles that were written last.
    SameDoubles = 23,
}

#[cfg(test)]
mod tests {
    use super::super::STEP_BITS;
    use super::*;

    #[test]
    fn numbers_and_steps_name_each_other() {
        for (number, step) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, number);
            assert_eq!(Step::of(number as u32), Some(*step));
        }
        assert!(Step::ALL.len() <= 1 << STEP_BITS);
        assert_eq!(Step::of(Step::ALL.len() as u32), None);
    }
}

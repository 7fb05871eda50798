//! Numbers of data points, and sums of them that stay exact as long as they are whole.

use super::increase::{Accumulated, Since};

/// The value of a number point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// As it came, where it was a whole number.
    Int(i64),
    /// Otherwise.
    Float(f64),
}

impl Number {
    /// As a float.
    pub fn value(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }
}

/// A sum of numbers: whole ones are added exactly, for a count of bytes in 64 bits is more than a float can tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    whole: i128,
    part: f64,
}

impl Amount {
    /// As a float.
    pub fn value(&self) -> f64 {
        self.whole as f64 + self.part
    }

    /// Its whole part.
    pub(super) fn whole(&self) -> i128 {
        self.whole
    }

    /// The amount of `other` as well.
    pub fn add(&mut self, other: &Amount) {
        match self.whole.checked_add(other.whole) {
            Some(whole) => self.whole = whole,
            None => self.part += other.whole as f64,
        }
        self.part += other.part;
    }
}

impl From<Number> for Amount {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Self { whole: i128::from(int), part: 0.0 },
            Number::Float(float) => Self { whole: 0, part: float },
        }
    }
}

impl From<f64> for Amount {
    fn from(part: f64) -> Self {
        Self { whole: 0, part }
    }
}

impl Accumulated for Number {
    type Grown = Amount;

    fn since(&self, before: &Self) -> Since<Amount> {
        match (*self, *before) {
            (Number::Int(now), Number::Int(before)) if now >= before => {
                Since::Grew(Amount { whole: i128::from(now) - i128::from(before), part: 0.0 })
            }
            (Number::Int(_), Number::Int(_)) => Since::Fell,
            (now, before) => match now.value() - before.value() {
                // What is not a number is neither.
                grew if grew >= 0.0 => Since::Grew(grew.into()),
                fell if fell < 0.0 => Since::Fell,
                _ => Since::Unlike,
            },
        }
    }

    fn whole(&self) -> Amount {
        (*self).into()
    }

    fn share(&self, share: f64) -> Amount {
        (self.value() * share).into()
    }
}

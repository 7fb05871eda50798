//! What a question is, and a kind of questions.

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;

use crate::answer::Answer;
use crate::filter::{Nanos, Parameter, Parameters};
use crate::scan::Asking;

/// One question.
pub trait Question: Send + Sync {
    /// What it is answered with.
    type Answer: Answer + 'static;

    /// Answers it from the files of `asking`, within its limits. What had to be left out is told in what was searched;
    /// errors are those of the question itself, and of the directory as a whole.
    fn ask(&self, asking: &Asking<'_>) -> Result<Self::Answer>;
}

/// A question of any kind.
pub trait AnyQuestion: Send + Sync {
    /// As [`Question::ask`].
    fn ask_any(&self, asking: &Asking<'_>) -> Result<Box<dyn Answer>>;
}

impl<Q: Question> AnyQuestion for Q {
    fn ask_any(&self, asking: &Asking<'_>) -> Result<Box<dyn Answer>> {
        Ok(Box::new(self.ask(asking)?))
    }
}

/// A kind of question: a row of [`KINDS`](super::KINDS).
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is called everywhere.
    pub name: &'static str,
    /// What it tells.
    pub text: &'static str,
    /// Whether it takes the words of a filter.
    pub filtered: bool,
    /// Its own words.
    pub parameters: &'static [Parameter],
    /// Makes it of words; times are relative to the second argument.
    pub read: fn(&mut Parameters, Nanos) -> Result<Box<dyn AnyQuestion>>,
}

impl Kind {
    /// The question that `pairs` of words and values make; INVALID_CONFIG names what is wrong with one.
    pub fn parse<K: Into<String>, V: Into<String>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
        now: Nanos,
    ) -> Result<Box<dyn AnyQuestion>> {
        let mut parameters = Parameters::new(pairs);
        let question = (self.read)(&mut parameters, now)?;
        parameters.finish()?;
        Ok(question)
    }
}

/// `signal`: traces or logs, the first of these if it is left out.
pub(super) fn signal(parameters: &mut Parameters, usual: Signal) -> Result<Signal> {
    let read = |text: &str| text.parse().map_err(|_| "is not one of traces, metrics, logs".to_owned());
    Ok(parameters.read("signal", read)?.unwrap_or(usual))
}

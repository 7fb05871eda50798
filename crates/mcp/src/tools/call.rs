//! What a tool is, and one call of it.

use std::path::PathBuf;

use otlp_arrow::internal::Recorder;
use otlp_arrow::{Result, Signal};
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{AttributeValuesQuestion, By};
use otlp_arrow_query::text::{name, plural, quoted};
use otlp_arrow_query::{AskOptions, Searched, Telemetry};
use serde_json::{Map, Value};

use crate::page::fit;
use crate::words::{Word, Words};

/// One tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// What it is for, in at most 300 characters.
    pub(crate) text: &'static str,
    pub(crate) words: &'static [Word],
    /// Answers a call, blocking.
    pub(crate) ask: fn(&Call<'_>) -> Result<String>,
    /// Whether it waits for what is not there yet, so that nothing need be kept.
    pub(crate) waits: bool,
}

/// What answers, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) output_dir: PathBuf,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) telemetry: Telemetry,
}

/// One call of a tool.
pub(crate) struct Call<'a> {
    pub(crate) place: &'a Place,
    pub(crate) words: &'a Words,
    pub(crate) options: &'a AskOptions,
}

impl Tool {
    /// The answer to a call with these arguments: text that is no longer than was said.
    pub(crate) fn answer(
        &self,
        place: &Place,
        given: Option<&Map<String, Value>>,
        options: &AskOptions,
    ) -> Result<String> {
        let words = Words::read(self.name, self.words, given)?;
        let call = Call { place, words: &words, options };
        if !self.waits && call.is_empty()? {
            return Ok(fit(&call.nothing_is_kept(), words.max_chars));
        }
        Ok(fit(&(self.ask)(&call)?, words.max_chars))
    }
}

impl<'a> Call<'a> {
    pub(crate) fn telemetry(&self) -> &'a Telemetry {
        &self.place.telemetry
    }

    fn is_empty(&self) -> Result<bool> {
        let log = self.telemetry().engine().log();
        let mut files = 0;
        for signal in Signal::ALL {
            files += log.entries(signal)?.len();
        }
        Ok(files == 0)
    }

    /// What is said of a directory without telemetry, which may not even be there.
    fn nothing_is_kept(&self) -> String {
        let shown = quoted(&self.place.output_dir.display().to_string(), 300);
        let there = match self.place.output_dir.is_dir() {
            true => "holds no telemetry yet",
            false => "does not exist yet",
        };
        format!(
            "Nothing is recorded: the directory {shown} {there}. Start the program with otlp-arrow, or `otlp-arrow serve --output-dir \
             DIR` and send OTLP to it; this answers as soon as something is there (wait_for waits for it)."
        )
    }

    /// What is said where nothing was found: how much was looked at, and what may have been meant.
    pub(crate) fn nothing_found(&self, searched: &Searched, signal: Signal) -> String {
        let mut out =
            format!("Nothing found in {} of {}.", plural(searched.rows, "row"), plural(searched.files, "file"));
        for hint in &searched.hints {
            out.push_str(&format!("\n{}", fit(&otlp_arrow_base::terminal::seen(hint), 300)));
        }
        if let Some(why) = searched.why {
            out.push_str(&format!("\nNot everything was searched ({}): ask for less time.", why.as_str()));
        }
        let services = self.services(signal);
        if !services.is_empty() {
            out.push_str(&format!("\nServices with {signal}: {}", services.join(", ")));
        }
        if self.words.one("since").is_some() || self.words.one("until").is_some() {
            out.push_str(&format!(
                "\nWithout since and until: {}",
                self.words.again(&[("since", String::new()), ("until", String::new())])
            ));
        }
        out
    }

    /// Some services that there are; nothing where that cannot be told.
    fn services(&self, signal: Signal) -> Vec<String> {
        let filter = Filter { limit: Some(20), ..Filter::default() };
        let question = AttributeValuesQuestion { signal, key: By::Service, prefix: String::new(), filter };
        let values = self.telemetry().ask_with(&question, self.options).map(|answer| answer.values);
        let values = values.unwrap_or_default().into_iter();
        values.filter(|value| !value.value.is_empty()).map(|value| name(&value.value, 80)).collect()
    }
}

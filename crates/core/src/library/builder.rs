//! Opening a recorder, with what the host program adds to the configuration.

use std::path::{Path, absolute};
use std::sync::Arc;

use super::OtlpLibrary;
use super::additions::Additions;
use super::generation::Root;
use super::thread::on_a_thread;
use crate::config::Config;
use crate::config::fit::Surroundings;
use crate::config::load::Loaded;
#[cfg(feature = "doors")]
use crate::doors::Door;
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, Severity};
use crate::stage::Stage;
use crate::store::hooks::SealHook;
use crate::store::names::Layout;

/// Opens an [`OtlpLibrary`] with more than a configuration: see [`OtlpLibrary::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before build or open is called"]
pub struct Builder {
    config: Config,
    additions: Additions,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, additions: Additions::default() }
    }

    /// Calls `listener` with each event from the first moment on, those of opening included, one after the other, on a
    /// thread of the library. See [`OtlpLibrary::on_event`].
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.additions.listeners.push(Arc::new(listener));
        self
    }

    /// Tells as the first events what parsing the configuration ignored.
    #[doc(hidden)]
    pub fn ignored(mut self, loaded: &Loaded) -> Self {
        let told =
            |severity: Severity, texts: &[String]| texts.iter().map(move |text| (severity, text.clone())).collect();
        let [warnings, notes]: [Vec<_>; 2] =
            [told(Severity::Warn, &loaded.warnings), told(Severity::Info, &loaded.notes)];
        self.additions.ignored = [warnings, notes].concat();
        self
    }

    /// Takes each request through `stage` between its check and its commit, after the stages that were given before. A
    /// forked child has the same stages.
    pub fn stage(mut self, stage: impl Stage) -> Self {
        self.additions.stages.push(Arc::new(stage));
        self
    }

    /// From the first file on that is sealed in the background, `hook` sees each.
    #[doc(hidden)]
    pub fn on_seal(mut self, hook: impl SealHook + 'static) -> Self {
        self.additions.seal_hooks.push(Arc::new(hook));
        self
    }

    /// Answers one more protocol on the addresses that are listened on.
    #[cfg(feature = "doors")]
    #[doc(hidden)]
    pub fn door(mut self, door: Door) -> Self {
        self.additions.doors.push(door);
        self
    }

    /// Opens the output directory and starts recording, without blocking the executor: what blocks runs on a thread of
    /// its own.
    pub async fn build(self) -> Result<OtlpLibrary> {
        on_a_thread("otlp-open", move || self.open()).await
    }

    /// [`Builder::build`] for callers without an executor; blocks while files are recovered.
    pub fn open(self) -> Result<OtlpLibrary> {
        let Self { mut config, additions } = self;
        config.check()?;
        // A program that turns to another directory later, as a daemon does, must find its files all the same.
        if let Ok(absolute) = absolute(&config.output_dir) {
            config.output_dir = absolute;
        }
        if let Some(link) = Layout::new(&config.output_dir).link() {
            let text = format!(
                "{} is a symbolic link: what is recorded would go elsewhere. Remove it, or make output_dir itself the other place",
                link.display()
            );
            return Err(OtlpError::new(Code::InvalidConfig, text));
        }
        let config = config.fitted(|output_dir| Surroundings::of(output_dir, Path::new("/")));
        Ok(OtlpLibrary { root: Arc::new(Root::open(config, additions)?) })
    }
}

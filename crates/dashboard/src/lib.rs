//! What a recorder keeps, as pages of a browser: at `/` of the addresses that take telemetry, beside `/api/v1`, which they ask.
//!
//! ```
//! use otlp_arrow::{Config, OtlpLibrary};
//! use otlp_arrow_api::HttpApi;
//! use otlp_arrow_dashboard::Dashboard;
//!
//! # let directory = tempfile::tempdir()?;
//! let mut config = Config { output_dir: directory.path().join("telemetry"), dashboard: true, ..Config::default() };
//! config.listen.http = Some(([127, 0, 0, 1], 0).into()); // any free port
//! let library = OtlpLibrary::builder(config).http_api().dashboard().open()?;
//! println!("http://{}/", library.addresses().http.expect("it is listened on"));
//! # library.shutdown_blocking(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The pages are files that `npm run build:dashboard` makes of `ts/dashboard`; they are compiled in. [`Viewer`] shows a directory that
//! nothing here records into.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests"))]

mod files;
mod pages;
mod viewer;

use std::sync::Arc;

use otlp_arrow::Builder;
use otlp_arrow::internal::{DASHBOARD, Door};

pub use viewer::Viewer;

/// The pages as a door.
pub const DOOR: Door =
    Door { name: DASHBOARD, telemetry: None, on: |config| config.dashboard, open: |_| Arc::new(pages::Pages) };

/// Shows pages.
pub trait Dashboard {
    /// Serves pages at `/` of the addresses that are listened on, where the key `dashboard` is on. They ask `/api/v1`, which
    /// `otlp_arrow_api::HttpApi` adds.
    fn dashboard(self) -> Self;
}

impl Dashboard for Builder {
    fn dashboard(self) -> Self {
        self.door(DOOR)
    }
}

/// Whether the pages were compiled in: `npm run build:dashboard` had made them.
pub fn is_built() -> bool {
    !files::FILES.is_empty()
}

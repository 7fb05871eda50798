//! What of a configuration the store takes.

use otlp_arrow_store::Settings;
use otlp_arrow_store::form::Forms;

use super::request_memory;
use super::types::Config;

impl Config {
    /// What of it the store takes.
    pub fn store_settings(&self) -> Settings {
        Settings {
            output_dir: self.output_dir.clone(),
            durability: self.durability,
            commit_interval: self.commit_interval,
            buffer_max_bytes: self.buffer.max_bytes,
            request_max_bytes: request_memory::most(self.buffer.max_bytes, &self.limits),
            rotation: self.rotation.clone(),
            sealing: self.sealing.clone(),
            forms: Forms::default(),
            retention: self.retention.clone(),
            min_free_bytes: self.storage.min_free_bytes,
            makes_way: self.fit.makes_way,
        }
    }
}

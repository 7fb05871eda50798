//! Tries the disk for signals that are refused and that nobody sends anything for: a sender that waits for readiness would
//! wait forever otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::admission::Admission;
use super::context::Context;
use super::lane::Lane;
use crate::disk::fault::storage_error;
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::Result;

/// Between two tries.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Tries the disk where that is needed; whether a signal is still in trouble.
pub(crate) fn probe(ctx: &Context, admission: &Admission, lanes: &PerSignal<Arc<Lane>>) -> bool {
    let troubled: Vec<_> = lanes.values().filter(|lane| lane.trouble().is_some()).collect();
    // Where data comes, its commits are the better probe.
    let quiet: Vec<_> = troubled.iter().filter(|lane| lane.is_quiet(PROBE_EVERY)).collect();
    if !quiet.is_empty() && try_the_disk(ctx, admission).is_ok() {
        for lane in quiet {
            lane.try_again();
        }
        ctx.changed.wake_all();
    }
    !troubled.is_empty()
}

fn try_the_disk(ctx: &Context, admission: &Admission) -> Result<()> {
    ctx.ensure_writer()?;
    admission.check_free(1, ctx.clock.now())?;
    let path = ctx.layout.tmp(&ctx.next_stem());
    ctx.storage
        .create_dir_all(&ctx.layout.tmp_dir())
        .and_then(|()| ctx.storage.create(&path)?.append(&[0; 4096]))
        .and_then(|()| ctx.storage.remove(&path))
        .map_err(|error| storage_error("write", &path, error))
}

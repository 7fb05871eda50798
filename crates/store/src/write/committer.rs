//! Turns the requests of one commit into bytes of the live file. Owned by the commit thread of its signal.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow_columns::{BatchBuilder, Payload, Signal};

use super::admission::Admission;
use super::context::Context;
use super::keys::{BatchKey, seconds};
use super::live::{Elsewhere, Failed, LiveFile, OnDisk};
use super::request::{Item, Request};
use super::seal_queue::SealQueue;
use crate::disk::fault::storage_error;
use crate::file::{CommitEncoder, keys};
use crate::log::hooks::{Committed, CommittedRequest};
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// Requests that become so many bytes of columns at most are written without making Arrow arrays of them; of larger ones
/// the columns are not copied.
const SMALL_BYTES: usize = 64 << 10;
/// How often a live file is looked for on the disk: somebody may have deleted it, and writing to it succeeds on Unix.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Committer {
    signal: Signal,
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    seals: Arc<SealQueue>,
    builder: BatchBuilder,
    encoder: CommitEncoder,
    live: Option<LiveFile>,
    looked: Instant,
    /// Where the last commit went, for the hooks.
    last: Option<(crate::disk::names::Stem, u64)>,
}

impl Committer {
    pub(crate) fn new(signal: Signal, ctx: Arc<Context>, admission: Arc<Admission>, seals: Arc<SealQueue>) -> Self {
        let encoder = CommitEncoder::new(ctx.writer.to_string());
        let looked = ctx.clock.now();
        Self {
            signal,
            ctx,
            admission,
            seals,
            builder: BatchBuilder::new(signal),
            encoder,
            live: None,
            looked,
            last: None,
        }
    }

    /// When the live file will be due by age.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.live.as_ref()?.due_at(&self.ctx.settings.rotation)
    }

    /// Writes `items` as one commit, at the configured durability.
    pub(crate) fn commit(&mut self, items: &[Item], now: Instant) -> Result<()> {
        self.rotate_if_due(now);
        self.look_for_the_file(now);
        let result = self.write(items, now);
        self.rotate_if_due(now);
        result
    }

    /// The requests as columns in the builder.
    fn build(&mut self, items: &[Item]) {
        self.builder.expect_payloads(items.iter().map(|item| &item.request.payload));
        for item in items {
            self.builder.append_payload(&item.request.payload);
        }
    }

    fn write(&mut self, items: &[Item], now: Instant) -> Result<()> {
        let ctx = Arc::clone(&self.ctx);
        let small = items.iter().map(|item| item.request.payload.arrow_bytes()).sum::<usize>() <= SMALL_BYTES;
        let rows = items.iter().map(|item| item.request.payload.rows() as u64).sum();
        self.encoder.set_keys(keys_of(&ctx, items));
        let batch = match items {
            // A batch alone has the form of a commit.
            [Item { request: Request { payload: Payload::Batch(stored), .. }, .. }] if !small => {
                Some(stored.batch().clone())
            }
            _ => {
                self.build(items);
                (!small).then(|| self.builder.finish())
            }
        };
        for attempt in 0..2 {
            let first_row = self.live.as_ref().map_or(0, |live| live.rows);
            if small && attempt > 0 {
                self.build(items);
            }
            let encoded = match &batch {
                Some(batch) => self.encoder.encode_parts(batch, first_row)?,
                None => self.encoder.encode_rows(&mut self.builder, first_row)?,
            };
            let len = encoded.bytes() as u64;
            if let Err(error) = self.admission.make_room(len, now) {
                match self.live.take() {
                    // Closed, it can make way as well.
                    Some(live) if attempt == 0 && ctx.settings.makes_way && live.rows > 0 => {
                        live.close(&ctx, &self.seals);
                        continue;
                    }
                    live => self.live = live,
                }
                return Err(error);
            }
            let mut live = match self.live.take() {
                Some(live) => live,
                None => create(&ctx, self.signal, now)?,
            };
            match live.commit(&ctx, &encoded.parts(), rows) {
                Ok(()) => {
                    self.admission.wrote(len);
                    self.last = Some((live.stem.clone(), first_row));
                    self.live = Some(live);
                    return Ok(());
                }
                Err(Failed::Undone(error)) => {
                    let too_large = error.kind() == io::ErrorKind::FileTooLarge;
                    // The system's limit of file sizes is below ours: what did not fit goes to the next file.
                    if too_large && attempt == 0 && live.rows > 0 {
                        live.close(&ctx, &self.seals);
                        continue;
                    }
                    let error = storage_error("write", &live.path, error);
                    // A full disk says nothing about the file; after anything else a new one has better chances.
                    if error.code() == Code::StorageFull && !too_large && live.rows > 0 {
                        self.live = Some(live);
                    } else {
                        live.close(&ctx, &self.seals);
                    }
                    return Err(error);
                }
                Err(Failed::Abandoned { error, elsewhere }) => {
                    let path = live.path.clone();
                    // The batch that could not be synced goes to a new file; when that fails too, the sender keeps it.
                    match elsewhere {
                        Elsewhere::Yes if attempt == 0 => live.close(&ctx, &self.seals),
                        Elsewhere::AfterAbandoning if attempt == 0 => live.abandon(&ctx, &self.seals)?,
                        _ => {
                            live.close(&ctx, &self.seals);
                            let step = if elsewhere == Elsewhere::No { "write" } else { "sync" };
                            return Err(storage_error(step, &path, error));
                        }
                    }
                }
            }
        }
        Err(OtlpError::new(
            Code::StorageFailed,
            "no file could be synced; check the disk (free space, permissions, hardware)",
        ))
    }

    pub(crate) fn rotate_if_due(&mut self, now: Instant) {
        if let Some(live) = self.live.take_if(|live| live.is_due(&self.ctx.settings.rotation, now)) {
            live.close(&self.ctx, &self.seals);
        }
    }

    pub(crate) fn rotate(&mut self) {
        if let Some(live) = self.live.take() {
            live.close(&self.ctx, &self.seals);
        }
    }

    fn look_for_the_file(&mut self, now: Instant) {
        let due = now.saturating_duration_since(self.looked) >= LOOK_EVERY;
        let Some(live) = self.live.take_if(|_| due) else { return };
        self.looked = now;
        let ctx = Arc::clone(&self.ctx);
        match live.on_disk(&ctx) {
            OnDisk::AsWritten => self.live = Some(live),
            // Sealing keeps what is left of it, and tells what is not.
            OnDisk::Cut => live.close(&ctx, &self.seals),
            OnDisk::Gone => self.forget(&ctx, &live),
        }
    }

    /// Somebody has deleted the live file.
    fn forget(&self, ctx: &Context, gone: &LiveFile) {
        ctx.own.remove(&gone.stem);
        ctx.stats.dropped(self.signal, "deleted", gone.rows);
        let message = format!(
            "{} was deleted, by another program or a person, with its {} records",
            gone.path.display(),
            gone.rows
        );
        ctx.write_failed(self.signal, &OtlpError::new(Code::StorageFailed, message));
        if let Err(error) = ctx.renew_writer() {
            tracing::warn!(%error, "cannot take the writer's lock again");
        }
    }

    /// Tells the hooks about the commit that was just made.
    pub(crate) fn announce(&mut self, requests: &mut dyn Iterator<Item = CommittedRequest>) {
        let Some((stem, first_row)) = self.last.take() else { return };
        let hooks = self.ctx.hooks.commit_hooks();
        if hooks.is_empty() {
            return;
        }
        let requests: Vec<_> = requests.collect();
        let rows = requests.iter().map(|request| request.rows).sum();
        let commit = Committed { signal: self.signal, stem, first_row, rows, requests };
        for hook in hooks {
            hook.committed(&commit);
        }
    }

    /// Forgets half-done work after a panic; the file is left to recovery, since nobody knows what was written.
    pub(crate) fn reset(&mut self) {
        self.builder = BatchBuilder::new(self.signal);
        self.encoder = CommitEncoder::new(self.ctx.writer.to_string());
        self.rotate();
    }
}

/// What the commit of `items` says of their keys; nothing where none has one.
fn keys_of(ctx: &Context, items: &[Item]) -> String {
    let mut keys = items.iter().filter_map(|item| item.request.key.as_ref()).map(BatchKey::as_bytes).peekable();
    if keys.peek().is_none() {
        return String::new();
    }
    keys::write(seconds(ctx), keys)
}

fn create(ctx: &Context, signal: Signal, now: Instant) -> Result<LiveFile> {
    ctx.renew_writer()?;
    LiveFile::create(ctx, signal, now)
        .map_err(|error| storage_error("create a file in", &ctx.layout.signal_dir(signal), error))
}

//! Tells a webhook and a command of each event, on a thread of its own: neither may hold up those who listen in the
//! program.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp_arrow_base::clock::Clock;
#[cfg(feature = "forward")]
use otlp_arrow_net::client::post_json;
#[cfg(feature = "forward")]
use secrecy::ExposeSecret;

use crate::config::OnEvent;
#[cfg(feature = "forward")]
use crate::destinations::{Proxy, Secret, proxy_of};
use crate::event::Event;
use crate::event_bus::EventListener;

/// Events that wait for a slow webhook or command; what comes beyond is not told there.
const QUEUE: usize = 256;
/// The longest one of them may take for one event.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How many events a webhook or a command was not told yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingEvents(Arc<(Mutex<usize>, Condvar)>);

impl PendingEvents {
    /// Waits until everything was told, or `until`: a process that ends would take the last events with it.
    pub(crate) fn wait(&self, until: Instant, clock: &Clock) {
        let (count, none) = &*self.0;
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count > 0 && !clock.left(until).is_zero() {
            count = clock.wait(none, count, until);
        }
    }
}

/// An event that is counted until it is told or left out.
struct Counted {
    event: Event,
    pending: PendingEvents,
}

impl Counted {
    fn new(event: &Event, pending: &PendingEvents) -> Self {
        *pending.0.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self { event: event.clone(), pending: pending.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let (count, none) = &*self.pending.0;
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            none.notify_all();
        }
    }
}

/// A listener for the event bus, and what it has still to tell; `None` where nobody is to be told.
pub(crate) fn listener(config: &OnEvent) -> Option<(EventListener, PendingEvents)> {
    if config.webhook.is_none() && config.command.is_none() {
        return None;
    }
    let config = config.clone();
    let sender: Mutex<Option<SyncSender<Counted>>> = Mutex::default();
    let pending = PendingEvents::default();
    let counting = pending.clone();
    let listener: EventListener = Arc::new(move |event| {
        let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match &*sender {
            Some(queue) => queue,
            None => match start(&config) {
                Ok(queue) => sender.insert(queue),
                Err(error) => return tracing::warn!(%error, "on_event has no thread to run on"),
            },
        };
        match queue.try_send(Counted::new(event, &counting)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(event = %event.name, "on_event is not told: {QUEUE} events wait for it already");
            }
            Err(TrySendError::Disconnected(_)) => *sender = None,
        }
    });
    Some((listener, pending))
}

/// The thread ends when the library, and with it the queue, is gone.
fn start(config: &OnEvent) -> std::io::Result<SyncSender<Counted>> {
    let (sender, events) = sync_channel(QUEUE);
    let config = config.clone();
    std::thread::Builder::new().name("otlp-on-event".into()).spawn(move || run(&config, &events))?;
    Ok(sender)
}

fn run(config: &OnEvent, events: &Receiver<Counted>) {
    #[cfg(feature = "forward")]
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::warn!(%error, "on_event has no runtime to run on"),
    };
    #[cfg(feature = "forward")]
    let proxies = Proxy::default();
    for counted in events {
        let event = &counted.event;
        let Ok(json) = serde_json::to_vec(event) else { continue };
        let json = Bytes::from(json);
        if let Some(words) = &config.command
            && let Err(problem) = run_command(words, &json, TIMEOUT)
        {
            tracing::warn!(event = %event.name, "on_event.command {}: {problem}", words[0]);
        }
        #[cfg(feature = "forward")]
        if let Some(url) = &config.webhook
            && let Err(problem) = runtime.block_on(post(url, json, &proxies))
        {
            tracing::warn!(event = %event.name, "on_event.webhook was not told: {problem}");
        }
    }
}

/// Posts to the URL that the file of a secret holds now, through the proxy that the variables name for it.
#[cfg(feature = "forward")]
async fn post(url: &Secret, json: Bytes, proxies: &Proxy) -> Result<(), String> {
    let text = url.now().unwrap_or_else(|_| url.expose_secret().to_owned().into());
    let proxy = |url: &http::Uri| proxies.before(url).and_then(|server| proxy_of(server).ok());
    post_json(text.expose_secret(), json, TIMEOUT, proxy).await
}

/// Runs a program with `input` on its standard input, and ends it when it takes too long.
fn run_command(words: &[String], input: &[u8], timeout: Duration) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // An event is smaller than any pipe, so this does not wait; a program that does not read it misses nothing.
        let _ = stdin.write_all(input);
    }
    match wait(&mut child, timeout) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("ended with {status}")),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(format!("did not end within {timeout:?} and was killed"))
        }
    }
}

fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    // Another program runs by the machine's clock.
    let clock = Clock::system();
    let deadline = clock.now() + timeout;
    while !clock.left(deadline).is_zero() {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        clock.sleep(LOOK);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead, BufReader, Read};
    use std::net::TcpListener;
    use std::time::SystemTime;

    use super::*;
    use crate::event::{EventName, Severity};
    use crate::internal::Producer as _;

    fn event() -> Event {
        Event { count: Some(7), ..Event::new(EventName::StorageFull, SystemTime::UNIX_EPOCH, "no room") }
    }

    #[test]
    fn nobody_to_tell_is_no_listener() {
        assert!(listener(&OnEvent::default()).is_none());
    }

    #[test]
    fn a_webhook_is_posted_the_event_as_json() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?token=x", server.local_addr().unwrap());
        let (listener, _) = listener(&OnEvent { webhook: Some(url.into()), command: None }).unwrap();
        listener(&event());
        let (mut stream, _) = server.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /hook?token=x HTTP/1.1\r\n"), "{head}");
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&json["name"], &json["count"]), (&"storage_full".into(), &7.into()));
    }

    #[test]
    fn a_library_that_shuts_down_waits_for_the_webhook() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let config = crate::Config {
            output_dir: dir.path().join("out"),
            on_event: OnEvent { webhook: Some(url.into()), command: None },
            ..crate::Config::default()
        };
        let library = crate::OtlpLibrary::open(config).unwrap();
        let error = crate::OtlpError::new(crate::Code::Timeout, "too late");
        library.not_kept(otlp_arrow_columns::Signal::Traces, 3, &error, Severity::Warn);
        let told = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&told);
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut buffer = [0; 4096];
            while !writer.lock().unwrap().contains("}") {
                let read = stream.read(&mut buffer).unwrap();
                writer.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        library.shutdown_blocking(Some(Duration::from_secs(60))).unwrap();
        let told = told.lock().unwrap().clone();
        assert!(told.contains("records_dropped") && told.contains("\"count\":3"), "{told}");
        assert!(told.contains("\"severity\":\"warn\""), "{told}");
        answering.join().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_command_reads_the_event_and_is_ended_when_it_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event.json");
        let words = |script: &str| ["sh", "-c", script, "sh", path.to_str().unwrap()].map(str::to_owned).to_vec();
        run_command(&words("cat > \"$1\""), b"{}", TIMEOUT).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert!(run_command(&words("exit 3"), b"{}", TIMEOUT).unwrap_err().contains('3'));
        let hangs = run_command(&words("exec sleep 60"), b"{}", Duration::from_millis(50)).unwrap_err();
        assert!(hangs.contains("was killed"), "{hangs}");
        assert!(
            run_command(&["/nowhere/program".to_owned()], b"{}", TIMEOUT).unwrap_err().contains("cannot be started")
        );
    }
}

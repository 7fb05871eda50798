//! Where the public keys of an issuer come from: a file, or a URL, asked again from time to time and when a token names a key that is
//! not known. Nothing that a client sends decides where is asked.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, Uri};
use http_body_util::Full;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::lock::lock;
use serde_json::Value;
use tokio::sync::watch;

use super::key::KeySet;
use crate::client::{Client, ClientOptions, Failure};
use crate::reload::Reloaded;
use crate::tls::{ClientPems, Pem};

/// The longest one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const MOST_BYTES: usize = 256 << 10;
/// Keys are asked for again when they are older.
const FRESH: Duration = Duration::from_secs(600);
/// And serve so long while their issuer does not answer.
const LAST: Duration = Duration::from_secs(24 * 3600);
/// So often is asked at most, whatever clients send.
const PAUSE: Duration = Duration::from_secs(30);
/// So often is told that it fails.
const TELL: Duration = Duration::from_secs(600);

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A JSON Web Key Set.
    File(PathBuf),
    /// The same, at this URL.
    Url(String),
    /// The issuer says where: OpenID Connect Discovery.
    Issuer(String),
}

/// Told why keys cannot be had: one line for people.
pub type Tell = Arc<dyn Fn(String) + Send + Sync>;

/// The keys of one issuer.
pub struct KeySource {
    /// Where it is in the configuration: `keys[0].jwt`.
    key: String,
    from: From,
    clock: Clock,
    tell: Tell,
    state: Mutex<State>,
}

enum From {
    File(Reloaded<KeySet>),
    /// A JSON Web Key Set at this URL.
    Url(String, Client),
    /// Of this issuer, whose document says where.
    Issuer(String, Client),
}

#[derive(Default)]
struct State {
    keys: Option<Loaded>,
    /// When they were last asked for.
    asked: Option<Instant>,
    /// Closed when who asks has an answer, or is gone.
    asking: Option<watch::Receiver<()>>,
    told: Option<Instant>,
}

struct Loaded {
    keys: Arc<KeySet>,
    content: Bytes,
    version: u64,
    at: Instant,
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource").field("key", &self.key).finish_non_exhaustive()
    }
}

impl KeySource {
    /// Keys from `place`, which `key` of the configuration names. A file is read now; nothing is asked yet.
    ///
    /// # Errors
    /// INVALID_CONFIG for a file without keys, and a URL that nobody should be asked at.
    pub fn new(key: impl Into<String>, place: Place, ca: Option<Pem>, clock: Clock, tell: Tell) -> Result<Arc<Self>> {
        let key = key.into();
        let from = match place {
            Place::File(path) => {
                let (path, key) = (std::path::absolute(&path).unwrap_or(path), key.clone());
                let read = path.clone();
                From::File(Reloaded::new([path], clock.clone(), move || {
                    let text = std::fs::read(&read).map_err(|error| error.to_string());
                    text.and_then(|text| KeySet::parse(&text)).map_err(|error| {
                        let text = format!("{key}.jwks_file: {} cannot be used: {error}", read.display());
                        OtlpError::new(Code::InvalidConfig, text)
                    })
                })?)
            }
            Place::Url(url) => {
                let client = client(&key, "jwks_url", &url, ca)?;
                From::Url(url, client)
            }
            Place::Issuer(issuer) => {
                let client = client(&key, "issuer", &issuer, ca)?;
                From::Issuer(issuer, client)
            }
        };
        Ok(Arc::new(Self { key, from, clock, tell, state: Mutex::default() }))
    }

    /// The keys that are known, and a number that grows when they change; None where they were never to be had, or that is too
    /// long ago. Those that are a while old are asked for in the background.
    pub(super) fn current(self: &Arc<Self>) -> Option<(u64, Arc<KeySet>)> {
        if let From::File(file) = &self.from {
            let version = file.version();
            return Some((version, file.current()));
        }
        let mut state = lock(&self.state);
        let age = state.keys.as_ref().map(|loaded| self.clock.elapsed(loaded.at));
        if age.is_none_or(|age| age >= FRESH) {
            self.ask(&mut state);
        }
        let loaded = state.keys.as_ref().filter(|_| age.is_some_and(|age| age < LAST))?;
        Some((loaded.version, Arc::clone(&loaded.keys)))
    }

    /// Asks for the keys, unless somebody did a moment ago; who comes meanwhile waits for the same answer.
    pub(super) async fn refresh(self: &Arc<Self>) {
        let asking = self.ask(&mut lock(&self.state));
        if let Some(mut asking) = asking {
            // Nothing is ever sent: it ends when the task does.
            let _ = asking.changed().await;
        }
    }

    /// What to wait for; None if it is too early to ask again. A task of its own asks, as a client may go away meanwhile.
    fn ask(self: &Arc<Self>, state: &mut State) -> Option<watch::Receiver<()>> {
        if matches!(self.from, From::File(_)) {
            return None;
        }
        if let Some(asking) = state.asking.as_ref().filter(|asking| asking.has_changed().is_ok()) {
            return Some(asking.clone());
        }
        if state.asked.is_some_and(|asked| self.clock.elapsed(asked) < PAUSE) {
            return None;
        }
        let (done, asking) = watch::channel(());
        (state.asked, state.asking) = (Some(self.clock.now()), Some(asking.clone()));
        let source = Arc::clone(self);
        tokio::spawn(async move {
            let answer = source.fetch().await;
            source.keep(answer);
            drop(done);
        });
        Some(asking)
    }

    fn keep(&self, answer: Result<(Bytes, KeySet), String>) {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        match answer {
            Ok((content, keys)) => {
                state.told = None;
                match &mut state.keys {
                    // Those that are remembered as accepted stay so.
                    Some(loaded) if loaded.content == content => loaded.at = now,
                    loaded => {
                        let version = loaded.as_ref().map_or(1, |loaded| loaded.version + 1);
                        *loaded = Some(Loaded { keys: Arc::new(keys), content, version, at: now });
                    }
                }
            }
            Err(error) if state.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL) => {
                state.told = Some(now);
                let kept = match &state.keys {
                    Some(_) => "those from before serve for 24 hours",
                    None => "tokens of this issuer cannot be checked until then",
                };
                drop(state);
                (self.tell)(format!("{}: the issuer's keys cannot be had: {error}; {kept}", self.key));
            }
            Err(_) => {}
        }
    }

    async fn fetch(&self) -> Result<(Bytes, KeySet), String> {
        let (url, client) = match &self.from {
            From::Url(url, client) => (url.clone(), client),
            From::Issuer(issuer, client) => (discover(client, issuer).await?, client),
            From::File(_) => return Err("they are in a file".to_owned()),
        };
        let body = get(client, &url).await?;
        let keys = KeySet::parse(&body).map_err(|error| format!("{url}: {error}"))?;
        Ok((body, keys))
    }
}

/// Asks at `url`, which `key`.`name` of the configuration has.
fn client(key: &str, name: &str, url: &str, ca: Option<Pem>) -> Result<Client> {
    checked(url).map_err(|error| OtlpError::new(Code::InvalidConfig, format!("{key}.{name} = {url:?}: {error}")))?;
    Client::new(ClientOptions {
        tls: ClientPems { key: key.to_owned(), ca, ..ClientPems::default() },
        server_name: None,
        proxies: None,
        proxy_tls: ClientPems::default(),
        http2: false,
        timeout: TIMEOUT,
        max_answer: MOST_BYTES,
    })
}

async fn discover(client: &Client, issuer: &str) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let body = get(client, &url).await?;
    keys_url(issuer, &body).map_err(|error| format!("{url}: {error}"))
}

/// Where the issuer's document says that its keys are. Who is elsewhere may not send us to what is behind this machine's own doors.
fn keys_url(issuer: &str, document: &[u8]) -> Result<String, String> {
    let document: Value = serde_json::from_slice(document).map_err(|error| format!("it is not JSON: {error}"))?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        let given = text("issuer").unwrap_or_default();
        return Err(format!("its issuer is {given:?}: write that, or name jwks_url"));
    }
    let keys = text("jwks_uri").ok_or("it has no jwks_uri: name jwks_url")?;
    let uri = checked(keys).map_err(|error| format!("jwks_uri = {keys:?}: {error}"))?;
    let own = checked(issuer).is_ok_and(|issuer| is_loopback(&issuer));
    if !own && (uri.scheme_str() != Some("https") || is_loopback(&uri)) {
        return Err(format!("jwks_uri = {keys:?}: an issuer elsewhere may not name this machine"));
    }
    Ok(keys.to_owned())
}

async fn get(client: &Client, url: &str) -> Result<Bytes, String> {
    let uri = checked(url).map_err(|error| format!("{url:?}: {error}"))?;
    let mut request = Request::get(uri).body(Full::default()).map_err(|error| format!("{url}: {error}"))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    match client.send(request).await {
        Ok(reply) if reply.head.status.is_success() => Ok(reply.body),
        Ok(reply) if reply.head.status.is_redirection() => {
            Err(format!("{url} answers {}: write the URL that it leads to, none is followed", reply.head.status))
        }
        Ok(reply) => Err(format!("{url} answers {}", reply.head.status)),
        Err(Failure::Settings(text) | Failure::Connection(text)) => Err(format!("{url}: {text}")),
        Err(Failure::Timeout { .. }) => Err(format!("{url}: no answer within {} s", TIMEOUT.as_secs())),
        Err(Failure::TooLong(_)) => Err(format!("{url}: the answer is larger than {} KiB", MOST_BYTES >> 10)),
        Err(Failure::Interrupted(_, text)) => Err(format!("{url}: the answer ended early: {text}")),
    }
}

/// Whoever can change what is answered can let anybody in: so TLS, unless nobody is between.
fn checked(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL: write https://HOST/PATH".to_owned())?;
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err("not a URL without credentials: write https://HOST/PATH".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback(&uri) => Ok(uri),
        _ => Err("use https; http is for this machine only".to_owned()),
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const OTHER: &str = "https://id.example";

    #[test]
    fn an_issuer_elsewhere_cannot_send_us_to_this_machine() {
        let says = |issuer: &str, keys: &str| {
            keys_url(issuer, json!({"issuer": issuer, "jwks_uri": keys}).to_string().as_bytes())
        };
        for (issuer, keys) in [
            (OTHER, "https://id.example/keys"),
            (OTHER, "https://keys.example/id"),
            ("https://localhost:8443", "https://localhost:8443/keys"),
            ("http://localhost:8080", "http://127.0.0.1:8080/keys"),
        ] {
            assert_eq!(says(issuer, keys).as_deref(), Ok(keys));
        }
        for keys in [
            "http://127.0.0.1:4318/api/v1/flush",
            "http://localhost/keys",
            "https://localhost/keys",
            "https://[::1]/keys",
            "https://[::ffff:127.0.0.1]/keys",
            "http://id.example/keys",
            "https://user@id.example/keys",
            "keys",
        ] {
            assert!(says(OTHER, keys).is_err(), "{keys}");
        }
        assert!(keys_url(OTHER, b"{}").unwrap_err().contains("its issuer is"));
        let missing = json!({"issuer": OTHER}).to_string();
        assert!(keys_url(OTHER, missing.as_bytes()).unwrap_err().contains("no jwks_uri"));
    }
}

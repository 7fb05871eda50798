//! Logins of browsers: a link that works once, then a session in a cookie, which lives in memory and nowhere else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderMap, HeaderValue};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::lock::lock;
use secrecy::{ExposeSecret, SecretString};

use super::crypto::{self, Digest};

/// How long a link works.
const LINK: Duration = Duration::from_secs(600);
/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(12 * 3600);
/// Links that nobody used yet.
const MOST_LINKS: usize = 16;
/// Sessions of browsers.
const MOST_SESSIONS: usize = 256;
/// Cookies of our name that are looked at: a browser sends one, and one more of another path at most.
const MOST_COOKIES: usize = 4;

/// Who logged in, each with what `G` allows.
pub struct Logins<G> {
    cookie: String,
    clock: Clock,
    state: Mutex<State<G>>,
}

struct State<G> {
    links: Table<G>,
    sessions: Table<G>,
}

/// Bounded: where there is room for none more, the oldest goes.
struct Table<G> {
    most: usize,
    lasts: Duration,
    entries: HashMap<Digest, (Instant, Arc<G>)>,
}

impl<G> fmt::Debug for Logins<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

impl<G> Table<G> {
    fn new(most: usize, lasts: Duration) -> Self {
        Self { most, lasts, entries: HashMap::new() }
    }

    fn add(&mut self, text: &SecretString, grant: Arc<G>, now: Instant) {
        self.forget_old(now);
        if self.entries.len() >= self.most
            && let Some(oldest) = self.entries.iter().min_by_key(|(_, (since, _))| *since).map(|(digest, _)| *digest)
        {
            self.entries.remove(&oldest);
        }
        self.entries.insert(sha256(text.expose_secret()), (now, grant));
    }

    fn forget_old(&mut self, now: Instant) {
        let lasts = self.lasts;
        self.entries.retain(|_, (since, _)| now.saturating_duration_since(*since) < lasts);
    }

    fn find(&self, text: &str, now: Instant) -> Option<&Arc<G>> {
        let (since, grant) = self.entries.get(&sha256(text))?;
        (now.saturating_duration_since(*since) < self.lasts).then_some(grant)
    }
}

impl<G> Logins<G> {
    /// Nobody yet. Cookies do not know ports: recorders of one machine need cookies of different names.
    pub fn new(cookie: impl Into<String>, clock: Clock) -> Self {
        let state = State { links: Table::new(MOST_LINKS, LINK), sessions: Table::new(MOST_SESSIONS, SESSION) };
        Self { cookie: cookie.into(), clock, state: Mutex::new(state) }
    }

    /// What a link has that lets its first visitor in, within ten minutes, with `grant`.
    ///
    /// # Errors
    /// INTERNAL if the system has no random numbers.
    pub fn link(&self, grant: Arc<G>) -> Result<SecretString> {
        let text = random()?;
        lock(&self.state).links.add(&text, grant, self.clock.now());
        Ok(text)
    }

    /// The session of whoever shows a link first; None for what is not one, was used, or is too old.
    ///
    /// # Errors
    /// INTERNAL if the system has no random numbers.
    pub fn follow(&self, link: &str) -> Result<Option<SecretString>> {
        let session = random()?;
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let found = state.links.find(link, now).cloned();
        state.links.entries.remove(&sha256(link));
        let Some(grant) = found else { return Ok(None) };
        state.sessions.add(&session, grant, now);
        Ok(Some(session))
    }

    /// A session of somebody who showed a credential that allows `grant`.
    ///
    /// # Errors
    /// INTERNAL if the system has no random numbers.
    pub fn open(&self, grant: Arc<G>) -> Result<SecretString> {
        let session = random()?;
        lock(&self.state).sessions.add(&session, grant, self.clock.now());
        Ok(session)
    }

    /// What the session of a request's cookie allows.
    pub fn find(&self, headers: &HeaderMap) -> Option<Arc<G>> {
        let state = lock(&self.state);
        let now = self.clock.now();
        self.shown(headers).find_map(|text| state.sessions.find(text, now).cloned())
    }

    /// Ends the session of a request.
    pub fn close(&self, headers: &HeaderMap) {
        let mut state = lock(&self.state);
        for text in self.shown(headers) {
            state.sessions.entries.remove(&sha256(text));
        }
    }

    /// Ends the sessions and links whose grants are no longer good, as after a change of the configuration.
    pub fn keep(&self, good: impl Fn(&G) -> bool) {
        let mut state = lock(&self.state);
        state.links.entries.retain(|_, (_, grant)| good(grant));
        state.sessions.entries.retain(|_, (_, grant)| good(grant));
    }

    fn shown<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == self.cookie).map(|(_, value)| value).take(MOST_COOKIES)
    }

    /// The header that gives a browser its session; with `tls` it never leaves without.
    pub fn set_cookie(&self, session: &SecretString, tls: bool) -> HeaderValue {
        self.cookie(session.expose_secret(), SESSION.as_secs(), tls)
    }

    /// The header that takes it away.
    pub fn clear_cookie(&self, tls: bool) -> HeaderValue {
        self.cookie("", 0, tls)
    }

    fn cookie(&self, value: &str, seconds: u64, tls: bool) -> HeaderValue {
        let secure = if tls { "; Secure" } else { "" };
        let text = format!("{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}", self.cookie);
        let mut header = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// 256 bits.
fn random() -> Result<SecretString> {
    Ok(URL_SAFE_NO_PAD.encode(crypto::random::<32>()?).into())
}

/// What a browser shows is found by its digest, so that no time tells how much of it is right.
fn sha256(text: &str) -> Digest {
    crypto::sha256(text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    fn logins() -> (ManualClock, Logins<&'static str>) {
        let clock = ManualClock::new();
        let logins = Logins::new("otlp_arrow_4318", clock.clock());
        (clock, logins)
    }

    fn cookies(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, value.parse().unwrap());
        }
        headers
    }

    /// What a browser sends back after it was given this session.
    fn with(logins: &Logins<&'static str>, session: &SecretString) -> HeaderMap {
        let set = logins.set_cookie(session, false);
        cookies(&[set.to_str().unwrap().split(';').next().unwrap()])
    }

    #[test]
    fn a_link_works_once_and_for_ten_minutes() {
        let (clock, logins) = logins();
        let (first, second) = (logins.link(Arc::new("owner")).unwrap(), logins.link(Arc::new("owner")).unwrap());
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 43);
        let session = logins.follow(first.expose_secret()).unwrap().unwrap();
        assert_eq!(*logins.find(&with(&logins, &session)).unwrap(), "owner");
        assert!(logins.follow(first.expose_secret()).unwrap().is_none(), "used");
        for other in ["", "a", session.expose_secret(), &first.expose_secret()[1..]] {
            assert!(logins.follow(other).unwrap().is_none(), "{other}");
        }
        clock.advance(LINK);
        assert!(logins.follow(second.expose_secret()).unwrap().is_none(), "too old");
        assert!(logins.find(&with(&logins, &second)).is_none(), "a link is not a session");
        for _ in 0..=MOST_LINKS {
            logins.link(Arc::new("owner")).unwrap();
        }
        assert_eq!(lock(&logins.state).links.entries.len(), MOST_LINKS);
    }

    #[test]
    fn a_session_ends_by_itself_at_logout_and_with_its_grant() {
        let (clock, logins) = logins();
        let [one, two, three] = ["one", "two", "three"].map(|name| logins.open(Arc::new(name)).unwrap());
        let name = |session: &SecretString| logins.find(&with(&logins, session)).map(|grant| *grant);
        assert_eq!((name(&one), name(&two), name(&three)), (Some("one"), Some("two"), Some("three")));
        logins.close(&with(&logins, &one));
        assert_eq!((name(&one), name(&two)), (None, Some("two")));
        logins.keep(|grant| *grant != "two");
        assert_eq!((name(&two), name(&three)), (None, Some("three")));
        clock.advance(SESSION - Duration::from_secs(1));
        assert_eq!(name(&three), Some("three"));
        clock.advance(Duration::from_secs(1));
        assert_eq!(name(&three), None, "a use does not make it longer");
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes_first() {
        let (clock, logins) = logins();
        let sessions: Vec<_> = (0..=MOST_SESSIONS)
            .map(|_| {
                clock.advance(Duration::from_secs(1));
                logins.open(Arc::new("owner")).unwrap()
            })
            .collect();
        let there = |at: usize| logins.find(&with(&logins, &sessions[at])).is_some();
        assert!(!there(0) && there(1) && there(MOST_SESSIONS));
        assert_eq!(lock(&logins.state).sessions.entries.len(), MOST_SESSIONS);
    }

    #[test]
    fn cookies_are_read_as_browsers_send_them() {
        let (_, logins) = logins();
        let session = logins.open(Arc::new("owner")).unwrap();
        let own = format!("otlp_arrow_4318={}", session.expose_secret());
        for values in [
            vec![own.clone()],
            vec![format!("theme=dark; {own}; b=c")],
            vec![format!("theme=dark;{own}")],
            vec!["theme=dark".to_owned(), own.clone()],
            vec!["otlp_arrow_4318=other".to_owned(), own.clone()],
        ] {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            assert!(logins.find(&cookies(&values)).is_some(), "{values:?}");
        }
        for value in [
            format!("otlp_arrow_4319={}", session.expose_secret()),
            format!("otlp_arrow_4318=\"{}\"", session.expose_secret()),
            format!("xotlp_arrow_4318={}", session.expose_secret()),
            format!("OTLP_ARROW_4318={}", session.expose_secret()),
            format!("{}x", own),
            "otlp_arrow_4318=".to_owned(),
            "otlp_arrow_4318".to_owned(),
            format!("{}{own}", "otlp_arrow_4318=a; ".repeat(MOST_COOKIES)),
        ] {
            assert!(logins.find(&cookies(&[&value])).is_none(), "{value}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_site_and_no_script() {
        let (_, logins) = logins();
        let session = logins.open(Arc::new("owner")).unwrap();
        let header = logins.set_cookie(&session, true);
        let text = "; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200; Secure";
        assert_eq!(header.to_str().unwrap(), format!("otlp_arrow_4318={}{text}", session.expose_secret()));
        assert!(header.is_sensitive() && !logins.set_cookie(&session, false).to_str().unwrap().contains("Secure"));
        let clear = logins.clear_cookie(false);
        assert_eq!(clear, "otlp_arrow_4318=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
        let shown = format!("{logins:?} {session:?} {header:?}");
        assert!(!shown.contains(session.expose_secret()), "{shown}");
    }
}

//! Names with passwords (`Authorization: Basic`): hashes of argon2id and bcrypt, a short memory of what was right, and little at a time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{Code, OtlpError};
use otlp_arrow_base::lock::lock;
use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OnceCell, Semaphore};

use super::crypto::{Digest, no_random};
use super::hash::PasswordHash;

/// Passwords that are hashed at a time: each takes its 19 MiB and a core.
const AT_A_TIME: usize = 2;
/// Passwords that wait for that; what else comes is refused.
const WAITING: usize = 16;
/// How long a password that was right need not be hashed again.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The longest name and password.
const LONGEST: usize = 1024;

/// A name and a password, as a client shows them.
pub struct Login {
    name: String,
    password: SecretString,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

impl Login {
    /// Reads what follows `Basic ` in the header; None for what is not exactly that.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 2 * LONGEST {
            return None;
        }
        let decoded: SecretString = String::from_utf8(STANDARD.decode(text).ok()?).ok()?.into();
        let (name, password) = decoded.expose_secret().split_once(':')?;
        // RFC 7617 allows none; bcrypt would end at NUL.
        let plain = !decoded.expose_secret().chars().any(char::is_control);
        let short = name.len() <= LONGEST && password.len() <= LONGEST;
        (plain && short).then(|| Self { name: name.to_owned(), password: password.to_owned().into() })
    }
}

/// Who has a password, and what each may. Made anew where the configuration changes: what it remembers goes with it.
pub struct Passwords<G> {
    users: HashMap<String, (Arc<PasswordHash>, G)>,
    /// Hashes that nothing matches, as dear as those of the users: who is unknown takes as long as somebody who is known.
    nobody: Vec<Arc<PasswordHash>>,
    key: hmac::Key,
    clock: Clock,
    turns: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was right, and when. No more of them than users.
    right: HashMap<Digest, Instant>,
    /// What is being hashed: those who show the same wait for one answer.
    asked: HashMap<Digest, Arc<OnceCell<bool>>>,
}

impl<G> fmt::Debug for Passwords<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// More passwords come than can be hashed: to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl<G> Passwords<G> {
    /// Each name with the hash of its password and what it may.
    ///
    /// # Errors
    /// INVALID_CONFIG for a name that is there twice, INTERNAL if the system has no random numbers.
    pub fn new(
        users: impl IntoIterator<Item = (String, PasswordHash, G)>,
        clock: Clock,
    ) -> otlp_arrow_base::error::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(no_random)?;
        let (mut table, mut nobody) = (HashMap::new(), Vec::new());
        for (name, hash, grant) in users {
            nobody.push(Arc::new(hash.of_nobody()));
            if table.contains_key(&name) {
                let text = format!("the name {name:?} has two passwords: a name has one");
                return Err(OtlpError::new(Code::InvalidConfig, text));
            }
            table.insert(name, (Arc::new(hash), grant));
        }
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { users: table, nobody, key, clock, turns, state: Mutex::default() })
    }

    /// What stands for a login while this program runs. Its parts have their lengths before them: no two logins have the same.
    pub fn digest(&self, login: &Login) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [login.name.as_str(), login.password.expose_secret()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// What whoever shows `login` may; None where name or password is wrong, and nobody is told which.
    ///
    /// # Errors
    /// Too many passwords wait to be hashed.
    pub async fn check(&self, login: &Login, digest: &Digest) -> Result<Option<&G>, Busy> {
        let user = self.users.get(&login.name);
        if lock(&self.state).right.get(digest).is_some_and(|since| self.clock.elapsed(*since) < REMEMBERED) {
            return Ok(user.map(|(_, grant)| grant));
        }
        let Some(hash) = user.map(|(hash, _)| hash).or_else(|| self.of_nobody(&login.name)) else { return Ok(None) };
        let asking = self.asking(digest)?;
        let right = *asking.cell.get_or_init(|| self.hashed(Arc::clone(hash), login.password.clone())).await;
        match user {
            Some((_, grant)) if right => {
                lock(&self.state).right.insert(*digest, self.clock.now());
                Ok(Some(grant))
            }
            _ => Ok(None),
        }
    }

    /// For one name always the same, as for a user.
    fn of_nobody(&self, name: &str) -> Option<&Arc<PasswordHash>> {
        let tag = hmac::sign(&self.key, name.as_bytes());
        let number = tag.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.nobody.get(number.checked_rem(self.nobody.len())?)
    }

    fn asking(&self, digest: &Digest) -> Result<Asking<'_>, Busy> {
        let mut state = lock(&self.state);
        if !state.asked.contains_key(digest) && state.asked.len() >= AT_A_TIME + WAITING {
            return Err(Busy);
        }
        let cell = Arc::clone(state.asked.entry(*digest).or_default());
        Ok(Asking { state: &self.state, digest: *digest, cell })
    }

    /// Hashes on a thread that may block. The turn ends when that is done, even where nobody waits for it any more.
    async fn hashed(&self, hash: Arc<PasswordHash>, password: SecretString) -> bool {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return false };
        let task = tokio::task::spawn_blocking(move || {
            let right = hash.is_of(&password);
            drop(turn);
            right
        });
        task.await.unwrap_or(false)
    }
}

/// A place among those that wait; the last of those who show the same takes it along.
struct Asking<'a> {
    state: &'a Mutex<State>,
    digest: Digest,
    cell: Arc<OnceCell<bool>>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.state);
        // While nobody else can count: of two that leave at once, the later one sees that it is the last.
        self.cell = Arc::default();
        if state.asked.get(&self.digest).is_some_and(|cell| Arc::strong_count(cell) == 1) {
            state.asked.remove(&self.digest);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures::future::{join_all, select};
    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    /// `correct horse`, at 256 KiB, by argon2-cffi 25.1.
    const ARGON2: &str =
        "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BaW4fpaHKjCZWAGDYdvtrxLvSh/SRTUPoEiB6ytkbCs";
    /// `correct horse`, by libxcrypt.
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    const RIGHT: &str = "correct horse";

    fn passwords() -> (ManualClock, Passwords<&'static str>) {
        let clock = ManualClock::new();
        let hash = |text| PasswordHash::parse(text).unwrap();
        let users = [("anna".to_owned(), hash(ARGON2), "of anna"), ("bert".to_owned(), hash(BCRYPT), "of bert")];
        let passwords = Passwords::new(users, clock.clock()).unwrap();
        (clock, passwords)
    }

    fn login(name: &str, password: &str) -> Login {
        Login::parse(&STANDARD.encode(format!("{name}:{password}"))).unwrap()
    }

    async fn check(passwords: &Passwords<&'static str>, name: &str, password: &str) -> Result<Option<String>, Busy> {
        let login = login(name, password);
        let found = passwords.check(&login, &passwords.digest(&login)).await;
        found.map(|grant| grant.map(|grant| (*grant).to_owned()))
    }

    #[tokio::test]
    async fn name_and_password_must_belong_together() {
        let (_, passwords) = passwords();
        for _ in 0..2 {
            assert_eq!(check(&passwords, "anna", RIGHT).await, Ok(Some("of anna".to_owned())));
            assert_eq!(check(&passwords, "bert", RIGHT).await, Ok(Some("of bert".to_owned())));
            for (name, password) in
                [("anna", "wrong"), ("anna", ""), ("Anna", RIGHT), ("carl", RIGHT), ("", RIGHT), ("anna", ARGON2)]
            {
                assert_eq!(check(&passwords, name, password).await, Ok(None), "{name} {password}");
            }
        }
        assert_eq!(lock(&passwords.state).right.len(), 2, "what was wrong is not remembered");
        assert!(lock(&passwords.state).asked.is_empty());
    }

    #[tokio::test]
    async fn what_was_right_is_remembered_for_five_minutes_and_hashed_again_then() {
        let (clock, passwords) = passwords();
        let shown = login("anna", RIGHT);
        let digest = passwords.digest(&shown);
        passwords.check(&shown, &digest).await.unwrap().unwrap();
        // No turn is free: what is answered was not hashed.
        let turns = passwords.turns.acquire_many(AT_A_TIME as u32).await.unwrap();
        clock.advance(REMEMBERED - Duration::from_secs(1));
        assert!(passwords.check(&shown, &digest).await.unwrap().is_some());
        clock.advance(Duration::from_secs(1));
        let mut again = Box::pin(passwords.check(&shown, &digest));
        assert!(futures::poll!(&mut again).is_pending());
        drop(turns);
        assert!(again.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_who_shows_the_same_waits_together() {
        let (_, passwords) = passwords();
        let same = join_all((0..1000).map(|_| check(&passwords, "anna", RIGHT))).await;
        assert!(same.iter().all(|found| *found == Ok(Some("of anna".to_owned()))));
        let turns = passwords.turns.acquire_many(AT_A_TIME as u32).await.unwrap();
        let passwords_of = (0..1000).map(|at| at.to_string()).collect::<Vec<_>>();
        let guesses = join_all(passwords_of.iter().map(|guess| check(&passwords, "bert", guess)));
        let busy = select(guesses, Box::pin(async { drop(turns) })).await;
        let futures::future::Either::Right(((), guesses)) = busy else { panic!("nothing was hashed yet") };
        let guesses = guesses.await;
        let count = |wanted| guesses.iter().filter(|found| **found == wanted).count();
        assert_eq!((count(Ok(None)), count(Err(Busy))), (AT_A_TIME + WAITING, 1000 - AT_A_TIME - WAITING));
        assert!(lock(&passwords.state).asked.is_empty());
        assert_eq!(passwords.turns.available_permits(), AT_A_TIME);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_its_place() {
        let (_, passwords) = passwords();
        let turns = passwords.turns.acquire_many(AT_A_TIME as u32).await.unwrap();
        let (first, second) = (login("anna", RIGHT), login("anna", RIGHT));
        let digest = passwords.digest(&first);
        let mut gone = Box::pin(passwords.check(&first, &digest));
        let mut stays = Box::pin(passwords.check(&second, &digest));
        assert!(futures::poll!(&mut gone).is_pending() && futures::poll!(&mut stays).is_pending());
        drop(gone);
        assert_eq!(lock(&passwords.state).asked.len(), 1);
        drop(turns);
        assert!(stays.await.unwrap().is_some());
        assert!(lock(&passwords.state).asked.is_empty());
    }

    #[test]
    fn no_two_logins_have_one_digest_and_none_is_the_same_elsewhere() {
        let (_, passwords) = passwords();
        // RFC 7617 ends the name at the first colon, so that these are the only ways to shift it.
        let digests = [("ab", "c"), ("a", "bc"), ("a", "b:c"), ("", "abc"), ("abc", "")];
        let digests: Vec<_> = digests.map(|(name, password)| passwords.digest(&login(name, password))).into();
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(digest), "{at}");
        }
        let (_, elsewhere) = self::passwords();
        assert_ne!(elsewhere.digest(&login("ab", "c")), digests[0], "another process, or another configuration");
    }

    #[test]
    fn who_is_unknown_is_checked_as_one_of_the_users_and_always_the_same() {
        let (_, passwords) = passwords();
        let kinds: Vec<_> = passwords.nobody.iter().map(|hash| format!("{hash:?}")).collect();
        assert_eq!(kinds, ["PasswordHash(argon2id)", "PasswordHash(bcrypt)"]);
        let names: Vec<_> = (0..200).map(|at| format!("nobody{at}")).collect();
        let of = |name: &String| Arc::as_ptr(passwords.of_nobody(name).unwrap());
        assert!(names.iter().all(|name| of(name) == of(name)));
        // That all 200 get the same one has a chance of 2⁻¹⁹⁹.
        assert!(names.iter().any(|name| of(name) != of(&names[0])));
    }

    #[test]
    fn headers_that_are_not_a_login_are_none() {
        for text in ["", "YQ", "YQ==", "!!!!", "YTpi ", " YTpi", "YTpi\n", "//8=", "YTr/"] {
            assert!(Login::parse(text).is_none(), "{text:?}");
        }
        for plain in ["anna:a\0b", "an\nna:b", "anna:b\u{7f}"] {
            assert!(Login::parse(&STANDARD.encode(plain)).is_none(), "{plain:?}");
        }
        assert!(Login::parse(&STANDARD.encode(format!("a:{}", "b".repeat(LONGEST + 1)))).is_none());
        let read = Login::parse(&STANDARD.encode("a:b:ü")).unwrap();
        assert_eq!((read.name.as_str(), read.password.expose_secret()), ("a", "b:ü"));
    }

    #[test]
    fn a_name_has_one_password_and_nothing_shows_it() {
        let hash = || PasswordHash::parse(BCRYPT).unwrap();
        let twice = [("anna".to_owned(), hash(), ()), ("anna".to_owned(), hash(), ())];
        let error = Passwords::new(twice, Clock::system()).unwrap_err().to_string();
        assert!(error.contains("\"anna\"") && !error.contains("jydOTSfIH"), "{error}");
        let shown = format!("{:?} {:?}", login("anna", RIGHT), passwords().1);
        assert!(!shown.contains("horse") && !shown.contains("anna") && !shown.contains("BaW4"), "{shown}");
    }
}

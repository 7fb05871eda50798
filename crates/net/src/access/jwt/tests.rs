//! Tokens of a real issuer's library, and tokens of attackers; where keys come from is in the second half.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otlp_arrow_base::clock::ManualClock;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";
/// Keys of each kind and what PyJWT made with them.
const PYJWT: &str = include_str!("pyjwt.json");

fn at_now() -> ManualClock {
    let clock = ManualClock::new();
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(NOW));
    clock
}

fn expected(issuer: &str) -> Expected {
    Expected {
        issuer: issuer.to_owned(),
        audience: "otlp-arrow".to_owned(),
        username_claim: "sub".to_owned(),
        roles_claim: Some("realm_access.roles".to_owned()),
    }
}

/// Everything that was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn tell(&self) -> Tell {
        let told = self.clone();
        Arc::new(move |text| lock(&told.0).push(text))
    }

    fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

fn source(place: Place, clock: &ManualClock, told: &Told) -> Arc<KeySource> {
    KeySource::new("keys[0].jwt", place, None, clock.clock(), told.tell()).unwrap()
}

/// Issuers by name, each with its keys in a file.
fn from_files(dir: &tempfile::TempDir, clock: &ManualClock, issuers: &[(&str, &Value)]) -> Issuers {
    let issuer = |(at, (name, jwks)): (usize, &(&str, &Value))| {
        let path = dir.path().join(format!("{at}.json"));
        std::fs::write(&path, jwks.to_string()).unwrap();
        Issuer { expected: expected(name), keys: source(Place::File(path), clock, &Told::default()) }
    };
    Issuers::new(issuers.iter().enumerate().map(issuer).collect(), clock.clock())
}

/// An issuer of the tests.
struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self { id, pair: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap() }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": x, "y": y})
    }

    fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A good token of `issuer`, with some claims replaced.
    fn token(&self, issuer: &str, more: &Value) -> String {
        let mut claims = json!({"iss": issuer, "aud": "otlp-arrow", "exp": NOW + 300, "sub": "shop"});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&json!({"alg": "ES256", "kid": self.id}), &claims)
    }
}

async fn owner(issuers: &Issuers, token: &str) -> Result<Option<String>, Fault> {
    issuers.check(token.as_bytes()).await.map(|found| found.map(|(_, owner)| owner.name.clone()))
}

#[tokio::test]
async fn tokens_of_pyjwt_are_accepted_with_every_algorithm_of_the_list_and_no_other() {
    let made: Value = serde_json::from_str(PYJWT).unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), at_now());
    let issuers = from_files(&dir, &clock, &[(ISSUER, &made["jwks"])]);
    let token = |name: &str| made["tokens"][name].as_str().unwrap().to_owned();
    for name in ["RS256", "PS256", "ES256", "EdDSA"] {
        for _ in ["checked", "remembered"] {
            let (at, owner) = issuers.check(token(name).as_bytes()).await.unwrap().unwrap();
            assert_eq!((at, owner.name.as_str()), (0, "shop"), "{name}");
            assert_eq!(owner.roles.as_ref().unwrap(), &["ingest", "offline_access"], "{name}");
        }
        // Each with the signature of the others, and with its own last bits changed.
        for other in ["RS256", "PS256", "ES256", "EdDSA"].iter().filter(|other| **other != name) {
            let (other, own) = (token(other), token(name));
            let mixed = format!("{}.{}", own.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
            assert_eq!(owner(&issuers, &mixed).await, Err(Fault::Signature), "{name}");
        }
    }
    for name in ["RS384", "PS512", "none"] {
        assert_eq!(owner(&issuers, &token(name)).await, Err(Fault::Algorithm), "{name}");
    }
    clock.advance(Duration::from_secs(359));
    assert!(owner(&issuers, &token("ES256")).await.unwrap().is_some(), "within the leeway");
    clock.advance(Duration::from_secs(1));
    assert_eq!(owner(&issuers, &token("ES256")).await, Err(Fault::Expired), "remembered, and over");
}

#[tokio::test]
async fn what_attackers_send_is_refused() {
    let (dir, clock, signer, evil) = (tempfile::tempdir().unwrap(), at_now(), Signer::new("one"), Signer::new("one"));
    let issuers = from_files(&dir, &clock, &[(ISSUER, &signer.jwks())]);
    let good = signer.token(ISSUER, &json!({}));
    assert_eq!(owner(&issuers, &good).await, Ok(Some("shop".to_owned())));
    let claims = json!({"iss": ISSUER, "aud": "otlp-arrow", "exp": NOW + 300, "sub": "root"});
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signature = good.rsplit_once('.').unwrap().1;

    // Signed with what everybody knows.
    let text = format!("{}.{}", encoded(&json!({"alg": "HS256", "kid": "one"})), encoded(&claims));
    let public = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.pair.public_key().as_ref());
    let hmac = format!("{text}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&public, text.as_bytes())));
    let unsigned = |algorithm: &str, signature: &str| {
        format!("{}.{}.{signature}", encoded(&json!({"alg": algorithm, "kid": "one"})), encoded(&claims))
    };
    let brought = json!({"alg": "ES256", "kid": "one", "jwk": evil.jwk()});
    let elsewhere = json!({"alg": "ES256", "kid": "one", "jku": "http://127.0.0.1:1/keys"});
    for (token, fault) in [
        (hmac, Fault::Algorithm),
        (unsigned("none", ""), Fault::Algorithm),
        (unsigned("NoNe", ""), Fault::Algorithm),
        (unsigned("none", signature), Fault::Algorithm),
        // An algorithm of the list, and not one of the key.
        (unsigned("RS256", signature), Fault::Algorithm),
        (unsigned("EdDSA", signature), Fault::Algorithm),
        (unsigned("ES256", ""), Fault::Signature),
        (unsigned("ES256", signature), Fault::Signature),
        (unsigned("ES256", &URL_SAFE_NO_PAD.encode([0; 64])), Fault::Signature),
        (evil.token(ISSUER, &json!({})), Fault::Signature),
        (evil.sign(&json!({"alg": "ES256"}), &claims), Fault::Signature),
        (evil.sign(&brought, &claims), Fault::Header),
        (evil.sign(&elsewhere, &claims), Fault::Header),
        (signer.sign(&elsewhere, &claims), Fault::Header),
        (signer.sign(&json!({"alg": "ES256", "kid": "two"}), &claims), Fault::UnknownKey),
        (signer.sign(&json!({"alg": "ES256", "kid": "../../../dev/null"}), &claims), Fault::UnknownKey),
        (signer.token(ISSUER, &json!({"aud": "billing"})), Fault::Audience),
        (signer.token(ISSUER, &json!({"exp": NOW - 86_400})), Fault::Expired),
        (signer.token(ISSUER, &json!({"nbf": NOW + 3600})), Fault::Early),
        (signer.token(ISSUER, &json!({"nbf": (NOW - 300).to_string()})), Fault::Claim("nbf")),
        (signer.token(ISSUER, &json!({"exp": (NOW + 300).to_string()})), Fault::Claim("exp")),
        (signer.token(ISSUER, &json!({"more": "m".repeat(100 << 10)})), Fault::TooLong),
    ] {
        assert_eq!(owner(&issuers, &token).await, Err(fault), "{}", &token[..token.len().min(200)]);
    }
    for nobody in
        ["", "Bearer", "oa_12345678_secret_123456", "a.b.c", &signer.token("https://other.example", &json!({}))]
    {
        assert_eq!(owner(&issuers, nobody).await, Ok(None), "{nobody:?} may be another's");
    }
    assert_eq!(owner(&issuers, &good).await, Ok(Some("shop".to_owned())), "and good ones are good");
    assert_eq!(lock(&issuers.remembered).len(), 1, "nothing that was refused is remembered");
}

#[tokio::test]
async fn an_issuer_speaks_for_itself_only() {
    let (dir, clock, one, two) = (tempfile::tempdir().unwrap(), at_now(), Signer::new("k"), Signer::new("k"));
    let other = "https://other.example";
    let issuers = from_files(&dir, &clock, &[(ISSUER, &one.jwks()), (other, &two.jwks())]);
    let at = async |token: String| issuers.check(token.as_bytes()).await.map(|found| found.unwrap().0);
    assert_eq!(at(one.token(ISSUER, &json!({}))).await, Ok(0));
    assert_eq!(at(two.token(other, &json!({}))).await, Ok(1));
    assert_eq!(at(two.token(ISSUER, &json!({}))).await, Err(Fault::Signature));
    assert_eq!(at(one.token(other, &json!({}))).await, Err(Fault::Signature));
}

#[tokio::test]
async fn a_key_that_leaves_the_file_takes_what_it_signed_along() {
    let (dir, clock, old, new) = (tempfile::tempdir().unwrap(), at_now(), Signer::new("old"), Signer::new("new"));
    let issuers = from_files(&dir, &clock, &[(ISSUER, &old.jwks())]);
    let (before, after) = (old.token(ISSUER, &json!({})), new.token(ISSUER, &json!({})));
    assert!(owner(&issuers, &before).await.unwrap().is_some());
    assert_eq!(owner(&issuers, &after).await, Err(Fault::UnknownKey));
    std::fs::write(dir.path().join("0.json"), new.jwks().to_string()).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(owner(&issuers, &before).await, Err(Fault::UnknownKey), "remembered no longer");
    assert!(owner(&issuers, &after).await.unwrap().is_some());
    std::fs::write(dir.path().join("0.json"), "{").unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(owner(&issuers, &after).await.unwrap().is_some(), "half a file is not taken");
}

#[tokio::test]
async fn memory_of_tokens_is_bounded() {
    let (dir, clock, signer) = (tempfile::tempdir().unwrap(), at_now(), Signer::new("one"));
    let issuers = from_files(&dir, &clock, &[(ISSUER, &signer.jwks())]);
    for at in 0..REMEMBERED + 10 {
        assert!(owner(&issuers, &signer.token(ISSUER, &json!({"jti": at}))).await.unwrap().is_some());
    }
    assert_eq!(lock(&issuers.remembered).len(), REMEMBERED);
    clock.advance(Duration::from_secs(359));
    let late = signer.token(ISSUER, &json!({"exp": NOW + 3600}));
    clock.advance(Duration::from_secs(1));
    assert!(owner(&issuers, &late).await.unwrap().is_some());
    assert_eq!(lock(&issuers.remembered).len(), 1, "those that are over make room first");
}

/// What the server of an issuer answers to a path; nothing where it hangs, and `...` at the end where it goes on forever.
type Say = Box<dyn Fn(&str) -> Vec<u8> + Send>;
type Answers = Arc<Mutex<Say>>;

/// An HTTP server on loopback that answers as it is told.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    answers: Answers,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(status: &str, more: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{more}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn ok(body: &Value) -> Vec<u8> {
    answer("200 OK", "", &body.to_string())
}

impl Server {
    async fn start(answers: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let answers: Answers = Arc::new(Mutex::new(Box::new(answers)));
        let (count, bytes, say) = (Arc::clone(&asked), Arc::clone(&sent), Arc::clone(&answers));
        let task = tokio::spawn(async move {
            for _ in 0..1000 {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&count), Arc::clone(&bytes), Arc::clone(&say)));
            }
        });
        Self { url, asked, sent, answers, task }
    }

    fn now_answers(&self, answers: impl Fn(&str) -> Vec<u8> + Send + 'static) {
        *lock(&self.answers) = Box::new(answers);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<AtomicUsize>, sent: Arc<AtomicUsize>, answers: Answers) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8(head).unwrap();
    let mut answer = lock(&answers)(head.split(' ').nth(1).unwrap());
    if answer.is_empty() {
        // Until the client has enough of it.
        let _ = stream.read_u8().await;
        return;
    }
    let endless = answer.ends_with(b"...");
    for _ in 0..if endless { 16_384 } else { 1 } {
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        sent.fetch_add(answer.len(), Ordering::SeqCst);
        answer = if endless { vec![b' '; 64 << 10] } else { answer };
    }
}

/// Tokens of `signer` at an issuer whose keys are at `place`.
fn from_net(place: Place, clock: &ManualClock, told: &Told) -> Issuers {
    let issuer = Issuer { expected: expected(ISSUER), keys: source(place, clock, told) };
    Issuers::new(vec![issuer], clock.clock())
}

#[tokio::test]
async fn keys_change_while_it_runs_and_strangers_do_not_make_it_ask() {
    let (clock, told, old, new) = (at_now(), Told::default(), Signer::new("old"), Signer::new("new"));
    let (before, both) = (old.jwks(), json!({"keys": [old.jwk(), new.jwk()]}));
    let server = Server::start(move |_| ok(&before)).await;
    let issuers = Arc::new(from_net(Place::Url(format!("{}/keys", server.url)), &clock, &told));
    let (first, second) = (old.token(ISSUER, &json!({})), new.token(ISSUER, &json!({})));
    let many = |token: &str| {
        let check = |at: usize| {
            let (issuers, token) = (Arc::clone(&issuers), token.to_owned());
            tokio::spawn(async move { (at, owner(&issuers, &token).await) })
        };
        futures::future::join_all((0..50).map(check))
    };
    for done in many(&first).await {
        assert_eq!(done.unwrap().1, Ok(Some("shop".to_owned())), "all wait for one answer");
    }
    assert_eq!(server.asked(), 1);

    server.now_answers(move |_| ok(&both));
    for done in many(&second).await {
        assert_eq!(done.unwrap().1, Err(Fault::UnknownKey), "asked a moment ago");
    }
    assert_eq!(server.asked(), 1);
    clock.advance(Duration::from_secs(30));
    for done in many(&second).await {
        assert_eq!(done.unwrap().1, Ok(Some("shop".to_owned())), "the new key");
    }
    assert_eq!(server.asked(), 2);
    for at in 0..100 {
        let token = Signer::new("nobody").token(ISSUER, &json!({"jti": at}));
        assert_eq!(owner(&issuers, &token).await, Err(Fault::UnknownKey));
    }
    assert_eq!(server.asked(), 2, "strangers with keys that nobody knows");
    assert!(owner(&issuers, &first).await.unwrap().is_some());
    assert!(told.all().is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_takes_no_answer_from_others() {
    let (clock, told, signer) = (at_now(), Told::default(), Signer::new("one"));
    let keys = signer.jwks();
    let server = Server::start(move |_| ok(&keys)).await;
    let issuers = from_net(Place::Url(server.url.clone()), &clock, &told);
    let token = signer.token(ISSUER, &json!({}));
    // It asks, and is dropped before there is an answer.
    let gone = futures::FutureExt::now_or_never(issuers.check(token.as_bytes()));
    assert!(gone.is_none());
    assert!(owner(&issuers, &token).await.unwrap().is_some());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn an_issuer_that_misbehaves_leaves_the_old_keys() {
    let (clock, told, signer) = (at_now(), Told::default(), Signer::new("one"));
    let keys = signer.jwks();
    let good = keys.clone();
    let server = Server::start(move |_| ok(&good)).await;
    let issuers = from_net(Place::Url(format!("{}/keys", server.url)), &clock, &told);
    let token = |at: u64| signer.token(ISSUER, &json!({"exp": NOW + 400_000, "jti": at}));
    assert!(owner(&issuers, &token(0)).await.unwrap().is_some());
    let elsewhere = Server::start(move |_| ok(&keys)).await;
    let target = format!("Location: {}/keys\r\n", elsewhere.url);
    let large = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n...";
    let cases: [(&str, Say); 6] = [
        ("500", Box::new(|_| answer("500 Internal Server Error", "", "no"))),
        ("not JSON", Box::new(|_| answer("200 OK", "", "<html>"))),
        ("no key for", Box::new(|_| ok(&json!({"keys": []})))),
        ("none is followed", Box::new(move |_| answer("302 Found", &target, ""))),
        ("larger than 256 KiB", Box::new(move |_| large.as_bytes().to_vec())),
        ("no answer within 5 s", Box::new(|_| Vec::new())),
    ];
    for (at, (says, answers)) in (1..).zip(cases) {
        server.now_answers(answers);
        clock.advance(FRESH_AND_TELL);
        assert!(owner(&issuers, &token(at)).await.unwrap().is_some(), "{says}: known keys serve at once");
        issuers.issuers[0].keys.refresh().await;
        assert!(owner(&issuers, &token(100 + at)).await.unwrap().is_some(), "{says}");
        let (all, at) = (told.all(), usize::try_from(at).unwrap());
        assert_eq!(all.len(), at, "{says}: {all:?}");
        assert!(all[at - 1].contains(says) && all[at - 1].starts_with("keys[0].jwt: "), "{}", all[at - 1]);
    }
    assert_eq!(elsewhere.asked(), 0);
    assert!(server.sent.load(Ordering::SeqCst) < 64 << 20, "not read to its end");
    let asked = server.asked();
    clock.advance(Duration::from_secs(23 * 3600 - 6 * FRESH_AND_TELL.as_secs()));
    assert!(owner(&issuers, &token(200)).await.unwrap().is_some(), "a day less an hour after the last good answer");
    drop(server);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(owner(&issuers, &token(201)).await, Err(Fault::NoKeys), "nobody can say");
    assert_eq!(owner(&issuers, &token(200)).await, Err(Fault::NoKeys), "nor of one that is remembered");
    assert!(asked >= 7, "{asked}");
}

/// Keys are old, and what fails is told again.
const FRESH_AND_TELL: Duration = Duration::from_secs(601);

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    let (clock, told, signer) = (at_now(), Told::default(), Signer::new("one"));
    let keys = signer.jwks();
    let server = Server::start(|_| Vec::new()).await;
    let (own, base) = (server.url.clone(), format!("{}/realms/shop", server.url));
    let says = move |issuer: String, uri: String| {
        let keys = keys.clone();
        move |path: &str| match path {
            "/realms/shop/.well-known/openid-configuration" => ok(&json!({"issuer": issuer, "jwks_uri": uri})),
            "/certs" => ok(&keys),
            _ => answer("404 Not Found", "", ""),
        }
    };
    server.now_answers(says(base.clone(), format!("{own}/certs")));
    let keys = source(Place::Issuer(base.clone()), &clock, &told);
    let issuers = Issuers::new(vec![Issuer { expected: expected(&base), keys }], clock.clock());
    assert!(owner(&issuers, &signer.token(&base, &json!({}))).await.unwrap().is_some());
    assert_eq!(server.asked(), 2);

    for (issuer, uri, text) in [
        (format!("{base}/"), format!("{own}/certs"), "its issuer is"),
        (base.clone(), "http://10.0.0.1/certs".to_owned(), "use https"),
        (base.clone(), "file:///etc/passwd".to_owned(), "jwks_uri"),
        (base.clone(), "/certs".to_owned(), "jwks_uri"),
        (base.clone(), format!("{own}/nothing"), "404"),
    ] {
        server.now_answers(says(issuer, uri.clone()));
        clock.advance(FRESH_AND_TELL);
        issuers.issuers[0].keys.refresh().await;
        let last = told.all().pop().unwrap();
        assert!(last.contains(text), "{uri}: {last}");
    }
    assert_eq!(told.all().len(), 5);
}

#[test]
fn keys_are_asked_for_within_tls_or_on_this_machine() {
    let new = |place: Place| KeySource::new("keys[2].jwt", place, None, Clock::system(), Told::default().tell());
    for url in ["https://id.example/keys", "http://localhost:8080/keys", "http://127.0.0.1/", "http://[::1]:1/keys"] {
        assert!(new(Place::Url(url.to_owned())).is_ok() && new(Place::Issuer(url.to_owned())).is_ok(), "{url}");
    }
    for url in [
        "http://id.example/keys",
        "http://127.0.0.1.example/keys",
        "http://localhost@id.example/keys",
        "https://user:password@id.example/keys",
        "ftp://id.example/keys",
        "file:///keys",
        "/keys",
        "id.example",
        "",
    ] {
        let error = new(Place::Url(url.to_owned())).unwrap_err().to_string();
        assert!(error.contains("keys[2].jwt.jwks_url"), "{url}: {error}");
        let error = new(Place::Issuer(url.to_owned())).unwrap_err().to_string();
        assert!(error.contains("keys[2].jwt.issuer"), "{url}: {error}");
    }
    let path = tempfile::tempdir().unwrap().path().join("keys.json");
    let error = new(Place::File(path.clone())).unwrap_err().to_string();
    assert!(error.contains(&format!("keys[2].jwt.jwks_file: {} cannot be used", path.display())), "{error}");
}

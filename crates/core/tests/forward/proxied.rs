//! Proxies: what they are asked, and that what they answer for themselves is not taken for the destination's word. Real ones are
//! in test/node/proxy.test.ts and test/python/test_proxy.py.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use otlp_arrow::internal::config::{Loaded, Sources, print};
use otlp_arrow::internal::destinations::{Answer, Class};
use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_testkit::backend::{Backend, Reply};
use otlp_arrow_testkit::tls_front::TlsFront;
use serde_json::{Value, json};

use crate::support::{Certificate, Identity, LONG, all_of, certificate, certificate_for, export, request, wait_for};

/// A proxy that answers everything with `refusal`, or connects to `backend` whatever it is asked for.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(backend: SocketAddr, refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || serve(stream, backend, refusal, &seen));
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut near: TcpStream, backend: SocketAddr, refusal: Option<&str>, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(near.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    seen.lock().unwrap().push(head.clone());
    if let Some(refusal) = refusal {
        let _ = near.write_all(refusal.as_bytes());
        let _ = near.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
        return;
    }
    let mut far = TcpStream::connect(backend).unwrap();
    if head.starts_with("CONNECT ") {
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    } else {
        far.write_all(head.as_bytes()).unwrap();
    }
    let (mut back, mut to) = (far.try_clone().unwrap(), near);
    let answers = std::thread::spawn(move || drop(std::io::copy(&mut back, &mut to)));
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        if far.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = far.shutdown(std::net::Shutdown::Write);
    let _ = answers.join();
}

fn load(destination: Value, env: &[(&str, String)]) -> Loaded {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>();
    Config::load(&Sources { arguments: json!({"forward": destination}), env, ..Sources::default() }).unwrap()
}

fn send(loaded: &Loaded) -> Answer {
    let destination = &loaded.config.forward[0];
    let opened = destination.protocol.open(destination).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(opened.send(request(Bytes::from_static(b""))))
}

const DELIVERED: Class = Class::Delivered { rejected: 0 };

/// Both protocols, plain and within TLS, by each variable and by the key: the proxy alone knows the name.
#[test]
fn requests_go_through_the_proxy_that_the_variables_or_the_key_name() {
    let good = certificate("collector.internal.test", 2100);
    for (protocol, https) in [("otlp_http", false), ("otlp_grpc", false), ("otlp_http", true), ("otlp_grpc", true)] {
        let tls = https.then(|| good.server.clone());
        let backend = Backend::start_at(([127, 0, 0, 1], 0).into(), tls);
        let scheme = if https { "https" } else { "http" };
        let endpoint = format!("{scheme}://collector.internal.test:4317");
        let variables: &[&str] = if https {
            &["HTTPS_PROXY", "https_proxy", "ALL_PROXY"]
        } else {
            &["HTTP_PROXY", "http_proxy", "all_proxy"]
        };
        for by in variables.iter().copied().chain(["key"]) {
            let proxy = Proxy::start(backend.address(), None);
            let url = format!("http://us%65r:p%3Aw@{}", proxy.address);
            let mut destination = json!({"endpoint": endpoint, "protocol": protocol});
            if https {
                destination["tls"] = json!({"ca_file": good.ca.path()});
            }
            let env = if by == "key" { vec![("NO_PROXY", "*".to_owned())] } else { vec![(by, url.clone())] };
            if by == "key" {
                destination["proxy"] = url.clone().into();
            }
            let loaded = load(destination, &env);
            let answer = send(&loaded);
            assert_eq!(answer.class, DELIVERED, "{protocol} {scheme} {by}: {}", answer.message);
            let head = proxy.heads().remove(0);
            let begins = match (https, protocol) {
                (false, "otlp_http") => "POST http://collector.internal.test:4317/v1/logs HTTP/1.1\r\n",
                _ => "CONNECT collector.internal.test:4317 HTTP/1.1\r\n",
            };
            assert!(head.starts_with(begins), "{head}");
            assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwonc=\r\n"), "{head}");
            let last = backend.received().pop().unwrap();
            let leaks =
                begins.starts_with("CONNECT") && last.headers.iter().any(|(name, _)| name == "proxy-authorization");
            assert!(!leaks, "the destination is told the password of the proxy");
            let printed = print(&loaded);
            let origin = if by == "key" { "argument" } else { by };
            let shown = format!("url: \"http://user:***@{}\"", proxy.address);
            let line = printed.lines().find(|line| line.contains(&shown)).unwrap_or_else(|| panic!("{printed}"));
            assert!(line.ends_with(&format!("# {origin}")), "{line}");
            assert!(!format!("{printed} {loaded:?}").contains("p:w"), "the password is shown");
        }
    }
}

/// A proxy that is spoken to within TLS, for a destination with and without TLS of its own.
fn within_tls(front: &TlsFront, protocol: &str, https: bool, proxy_tls: Value) -> Value {
    let scheme = if https { "https" } else { "http" };
    json!({"endpoint": format!("{scheme}://collector.internal.test:4317"), "protocol": protocol,
        "proxy": {"url": format!("https://user:p%3Aw@localhost:{}", front.address().port()), "tls": proxy_tls}})
}

const WAYS: [(&str, bool); 4] = [("otlp_http", false), ("otlp_grpc", false), ("otlp_http", true), ("otlp_grpc", true)];

/// The authority of the proxy and that of the destination are two, and neither stands in for the other.
#[test]
fn a_proxy_within_tls_is_trusted_by_an_authority_of_its_own() {
    let (near, far) = (certificate("localhost", 2100), certificate("collector.internal.test", 2100));
    for (protocol, https) in WAYS {
        let backend = Backend::start_at(([127, 0, 0, 1], 0).into(), https.then(|| far.server.clone()));
        let proxy = Proxy::start(backend.address(), None);
        let front = TlsFront::start(near.server.clone(), proxy.address);
        let tls = |ca: &Certificate| json!({"ca_file": ca.ca.path()});
        let mut destination = within_tls(&front, protocol, https, tls(&near));
        if https {
            destination["tls"] = tls(&far);
        }
        let answer = send(&load(destination.clone(), &[]));
        assert_eq!(answer.class, DELIVERED, "{protocol} {https}: {}", answer.message);
        let head = proxy.heads().remove(0).to_ascii_lowercase();
        let begins = if https || protocol == "otlp_grpc" { "connect collector" } else { "post http://collector" };
        assert!(head.starts_with(begins) && head.contains("basic dxnlcjpwonc=\r\n"), "{head}");

        let mut wrong =
            vec![within_tls(&front, protocol, https, tls(&far)), within_tls(&front, protocol, https, json!({}))];
        for refused in &mut wrong {
            refused["tls"] = if https { tls(&near) } else { Value::Null };
            if !https {
                refused.as_object_mut().unwrap().remove("tls");
            }
            let answer = send(&load(refused.clone(), &[]));
            let says = format!("TLS with the proxy https://localhost:{} failed", front.address().port());
            assert_eq!(answer.class, Class::Destination, "{}", answer.message);
            assert!(answer.message.contains(&says) && !answer.message.contains("p:w"), "{}", answer.message);
        }
        if https {
            // The proxy is right and the destination is not: that is told of the destination.
            destination["tls"] = tls(&near);
            let answer = send(&load(destination, &[]));
            assert_eq!(answer.class, Class::Destination, "{}", answer.message);
            assert!(answer.message.contains("TLS with collector.internal.test:4317 failed"), "{}", answer.message);
        }
        assert!(proxy.heads().len() <= 2, "nothing is said to a proxy that is not the right one: {:?}", proxy.heads());
    }
}

/// A certificate for another name, one that is over, and a port that speaks no TLS.
#[test]
fn what_is_wrong_with_the_certificate_of_a_proxy_is_told_as_such() {
    let backend = Backend::start();
    let proxy = Proxy::start(backend.address(), None);
    for (name, until, says) in [("elsewhere.test", 2100, "not valid for name"), ("localhost", 2021, "expired")] {
        let bad = certificate(name, until);
        let front = TlsFront::start(bad.server.clone(), proxy.address);
        for (protocol, https) in WAYS {
            let answer = send(&load(within_tls(&front, protocol, https, json!({"ca_file": bad.ca.path()})), &[]));
            assert_eq!(answer.class, Class::Destination, "{protocol} {https}: {}", answer.message);
            let told = answer.message;
            assert!(told.contains("TLS with the proxy https://localhost") && told.contains(says), "{told}");
        }
    }
    for (protocol, https) in WAYS {
        let scheme = if https { "https" } else { "http" };
        let ssh = Proxy::start(backend.address(), Some("SSH-2.0-x\r\n\r\n"));
        let destination = json!({"endpoint": format!("{scheme}://collector.internal.test:4317"), "protocol": protocol,
            "proxy": format!("https://{}", ssh.address)});
        let answer = send(&load(destination, &[]));
        assert!(answer.message.contains("the proxy https://127.0.0.1"), "{protocol} {https}: {}", answer.message);
    }
    assert_eq!(proxy.heads(), [""; 0], "a password is not told to whoever cannot show who it is");
}

/// A proxy that lets in those with its certificate only: whoever has none is told so, and it is not a bad route.
#[test]
fn a_proxy_may_want_a_certificate_of_ours() {
    let (us, stranger) = (Identity::new(), Identity::new());
    let (near, far) = (certificate_for("localhost", 2100, Some(&us)), certificate("collector.internal.test", 2100));
    for (protocol, https) in WAYS {
        let backend = Backend::start_at(([127, 0, 0, 1], 0).into(), https.then(|| far.server.clone()));
        let proxy = Proxy::start(backend.address(), None);
        let front = TlsFront::start(near.server.clone(), proxy.address);
        let own = |identity: &Identity| json!({"ca_file": near.ca.path(), "cert_file": identity.cert.path(), "key_file": identity.key.path()});
        for (tls, right) in [(own(&us), true), (own(&stranger), false), (json!({"ca_file": near.ca.path()}), false)] {
            let mut destination = within_tls(&front, protocol, https, tls);
            if https {
                destination["tls"] = json!({"ca_file": far.ca.path()});
            }
            let answer = send(&load(destination, &[]));
            let (class, told) = (answer.class, answer.message);
            assert_eq!(class, if right { DELIVERED } else { Class::Destination }, "{protocol} {https}: {told}");
            assert!(right || told.contains("the proxy"), "{told}");
        }
        assert_eq!(proxy.heads().len(), 1);
    }
}

#[test]
fn whoever_is_left_out_is_reached_directly() {
    let backend = Backend::start();
    let nowhere = "http://127.0.0.1:1".to_owned();
    for (env, destination) in [
        (vec![("HTTP_PROXY", nowhere.clone())], json!({"endpoint": backend.url()})),
        (
            vec![("HTTP_PROXY", nowhere.clone()), ("REQUEST_METHOD", "POST".into())],
            json!({"endpoint": format!("http://{}", backend.address())}),
        ),
        (vec![], json!({"endpoint": backend.url(), "proxy": "none"})),
        (vec![], json!({"endpoint": backend.url(), "proxy": {"url": false}})),
    ] {
        assert_eq!(send(&load(destination, &env)).class, DELIVERED);
    }
    let env = vec![("HTTP_PROXY", nowhere), ("NO_PROXY", ".internal.test".into())];
    let loaded = load(json!({"endpoint": "http://collector.internal.test:1"}), &env);
    assert!(print(&loaded).contains("url: none"), "{}", print(&loaded));
    assert!(
        send(&loaded).message.contains("collector.internal.test:1 cannot be resolved"),
        "{}",
        send(&loaded).message
    );
}

/// Whatever the proxy says in its own name: nothing of it is a verdict about the data.
#[test]
fn answers_of_the_proxy_are_told_as_such() {
    let page = "content-type: text/html\r\nconnection: close\r\n\r\n<html>no</html>";
    let cases: [(&str, Class, &str); 8] = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n",
            Class::Destination,
            "forward.proxy.username",
        ),
        ("HTTP/1.1 403 Forbidden\r\n", Class::Destination, "NO_PROXY"),
        ("HTTP/1.1 400 Bad Request\r\n", Class::Destination, "HTTP 400"),
        ("HTTP/1.1 404 Not Found\r\n", Class::Destination, "HTTP 404"),
        ("HTTP/1.1 500 Internal Server Error\r\n", Class::Passing { after: None }, "HTTP 500"),
        ("HTTP/1.1 502 Bad Gateway\r\n", Class::Passing { after: None }, "HTTP 502"),
        ("HTTP/1.1 503 Service Unavailable\r\n", Class::Passing { after: None }, "HTTP 503"),
        ("HTTP/1.1 504 Gateway Timeout\r\n", Class::Passing { after: None }, "HTTP 504"),
    ];
    // As proxy-chain has it, with plain text.
    let own = "HTTP/1.1 595 595\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nECONNREFUSED";
    let proxy = Proxy::start(([127, 0, 0, 1], 1).into(), Some(own));
    let destination = json!({"endpoint": "http://collector.internal.test:4318", "protocol": "otlp_http",
        "proxy": format!("http://{}", proxy.address)});
    assert_eq!(send(&load(destination, &[])).class, Class::Passing { after: None });
    for (status, class, says) in cases {
        for protocol in ["otlp_http", "otlp_grpc"] {
            let text: &'static str = Box::leak(format!("{status}{page}").into_boxed_str());
            let proxy = Proxy::start(([127, 0, 0, 1], 1).into(), Some(text));
            let destination = json!({"endpoint": "http://collector.internal.test:4317", "protocol": protocol,
                "proxy": format!("http://{}", proxy.address)});
            let answer = send(&load(destination, &[]));
            assert_eq!(answer.class, class, "{protocol} {status}: {}", answer.message);
            assert!(
                answer.message.contains(says) && answer.message.contains("the proxy http://127.0.0.1"),
                "{}",
                answer.message
            );
        }
    }
    for (proxy, says, class) in [
        ("http://127.0.0.1:1", "the proxy http://127.0.0.1:1 cannot be reached", Class::Passing { after: None }),
        ("http://no-such-proxy.invalid:1", "the name the proxy http://no-such-proxy.invalid:1", Class::Destination),
    ] {
        let answer = send(&load(json!({"endpoint": "http://collector.internal.test:4317", "proxy": proxy}), &[]));
        assert_eq!(answer.class, class);
        assert!(answer.message.contains(says), "{}", answer.message);
    }
    let ssh = Proxy::start(([127, 0, 0, 1], 1).into(), Some("SSH-2.0-x\r\n\r\n"));
    let destination =
        json!({"endpoint": "https://collector.internal.test:4317", "proxy": format!("http://{}", ssh.address)});
    let answer = send(&load(destination, &[]));
    assert!(answer.message.contains("does not answer in HTTP"), "{}", answer.message);
}

/// The password of a proxy in a file, which is wrong at first.
#[test]
fn a_password_of_the_proxy_is_read_again() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let file = dir.path().join("password");
    std::fs::write(&file, "one\n").unwrap();
    backend.reply(Reply::Accept);
    let proxy = Proxy::start(backend.address(), None);
    let destination = json!({"endpoint": "http://collector.internal.test:4318", "protocol": "otlp_http",
        "proxy": {"url": format!("http://{}", proxy.address), "username": "user", "password": {"file": file}}});
    let mut config = load(destination, &[]).config;
    config.output_dir = dir.path().join("kept");
    config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(config).unwrap();
    export(&library, 0, 5);
    backend.wait_until(LONG, all_of(0..5));
    std::fs::write(&file, "two\n").unwrap();
    // `user:two`, as soon as somebody has looked.
    let mut number = 5;
    let renewed = || {
        let last = backend.received().pop().unwrap();
        last.headers.iter().any(|(name, value)| name == "proxy-authorization" && value == "Basic dXNlcjp0d28=")
    };
    let until = std::time::Instant::now() + LONG;
    while !renewed() {
        assert!(std::time::Instant::now() < until, "the old password is still sent");
        export(&library, number, number + 1);
        number += 1;
        backend.wait_until(LONG, all_of(0..number));
        std::thread::sleep(Duration::from_millis(50));
    }
    wait_for("delivery", || library.forwarders()[0].info().lag_records == 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_is_wrong_with_a_proxy_is_told_without_its_password() {
    let wrong = |destination: Value| {
        let arguments = json!({"forward": destination});
        Config::load(&Sources { arguments, ..Sources::default() }).unwrap_err().message().to_owned()
    };
    let endpoint = "http://collector:4317";
    for (proxy, says) in [
        (json!("socks5://u:hunter2@p:1"), "socks5"),
        (json!("http://u:hunter2@p:port"), "is not the URL of a proxy"),
        (json!({"url": "http://u:hunter2@p:1", "password": "hunter2"}), "as well"),
        (json!({"url": "http://p:1", "password": "hunter2"}), "user name"),
        (json!({"url": "none", "username": "u"}), "no meaning"),
        (json!({"url": "http://p:1", "tls": {"ca_file": "/x"}}), "no meaning"),
        (json!({"urll": "http://p:1"}), "did you mean"),
    ] {
        let told = wrong(json!({"endpoint": endpoint, "proxy": proxy}));
        assert!(told.contains(says) && !told.contains("hunter2"), "{told}");
    }
}

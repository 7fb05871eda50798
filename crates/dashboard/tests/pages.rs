//! What a browser is sent, and who is sent nothing.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use otlp_arrow::{Code, Config, OtlpLibrary};
use otlp_arrow_api::HttpApi;
use otlp_arrow_dashboard::{Dashboard, Viewer, is_built};

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request.push_str(&format!("host: {address}\r\n"));
    }
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let at = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(reply[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: reply[at + 4..].to_vec() }
}

fn opened(change: impl FnOnce(&mut Config)) -> (OtlpLibrary, SocketAddr, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().join("out"), dashboard: true, ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    change(&mut config);
    let library = OtlpLibrary::builder(config).http_api().dashboard().open().unwrap();
    let address = library.addresses().http.unwrap();
    (library, address, dir)
}

#[test]
fn every_page_is_the_one_page_with_what_guards_it() {
    let (_library, address, _dir) = opened(|_| ());
    let first = ask(address, "/", &[]);
    for path in
        ["/", "/ui", "/ui/traces?service=a%20b", "/ui/trace/4bf92f3577b34da6a3ce929d0e0e4736?span=00f067aa0ba902b7"]
    {
        let reply = ask(address, path, &[]);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert_eq!(reply.body, first.body, "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        for needed in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(needed), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let text = String::from_utf8(first.body.clone()).unwrap();
    if is_built() {
        assert!(text.contains("/assets/app-") && first.header("cache-control") == Some("no-cache"), "{text}");
        let known = ask(address, "/", &[("if-none-match", first.header("etag").unwrap())]);
        assert_eq!((known.status, known.body.len()), (304, 0));
        let script = text.split('"').find(|part| part.starts_with("/assets/app-") && part.ends_with(".js")).unwrap();
        let plain = ask(address, script, &[]);
        let packed = ask(address, script, &[("accept-encoding", "gzip, br")]);
        assert_eq!((plain.status, packed.status), (200, 200));
        assert!(packed.body.len() * 2 < plain.body.len() && packed.header("content-encoding") == Some("br"));
        assert!(plain.header("cache-control").unwrap().contains("immutable"));
        assert_eq!(plain.header("content-type"), Some("text/javascript; charset=utf-8"));
    } else {
        assert!(text.contains("npm run build:dashboard"), "{text}");
    }
    let gone = ask(address, "/assets/app-OLD.js", &[]);
    assert!(gone.status == 404 && gone.header("cache-control") == Some("no-store"));
    for path in ["/uix", "/ui2/traces", "/index.html", "/assets"] {
        assert_eq!(ask(address, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn names_that_others_point_here_get_nothing_and_links_of_others_lead_here() {
    let (_library, address, _dir) = opened(|_| ());
    for path in ["/", "/ui/traces", "/assets/x.js"] {
        for host in ["evil.example", "evil.example:4318", "127.0.0.1.nip.io"] {
            assert_eq!(ask(address, path, &[("host", host)]).status, 403, "{path} {host}");
        }
        let proxied = ask(address, path, &[("x-forwarded-for", "203.0.113.9")]);
        assert_eq!(proxied.status, 403);
    }
    let navigated = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(ask(address, "/ui/traces", &navigated).status, 200);
    assert_eq!(ask(address, "/api/v1/services", &navigated).status, 403, "but nothing of what is kept is told so");
}

#[test]
fn it_is_off_until_somebody_switches_it_on_and_says_so() {
    let (library, address, _dir) = opened(|config| config.dashboard = false);
    let reply = ask(address, "/", &[]);
    assert!(reply.status == 404 && String::from_utf8_lossy(&reply.body).contains("dashboard: true"));
    drop(library);
    let dir = tempfile::tempdir().unwrap();
    let config = |change: fn(&mut Config)| {
        let mut config = Config { output_dir: dir.path().join("out"), dashboard: true, ..Config::default() };
        change(&mut config);
        config
    };
    let deaf = OtlpLibrary::builder(config(|_| ())).http_api().dashboard().open().err().unwrap();
    assert!(deaf.code() == Code::InvalidConfig && deaf.message().contains("listen: true"), "{deaf}");
    let mute = config(|config| {
        config.listen.http = Some(([127, 0, 0, 1], 0).into());
        config.protocols.api = false;
    });
    let mute = OtlpLibrary::builder(mute).http_api().dashboard().open().err().unwrap();
    assert!(mute.code() == Code::InvalidConfig && mute.message().contains("protocols.api"), "{mute}");
    let bare = config(|config| config.listen.http = Some(([127, 0, 0, 1], 0).into()));
    let bare = OtlpLibrary::builder(bare).http_api().open().err().unwrap();
    assert!(bare.message().contains("otlp-arrow-dashboard"), "{bare}");
}

#[test]
fn a_directory_is_shown_without_a_recorder() {
    let (library, _, dir) = opened(|_| ());
    library.shutdown_blocking(None).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entered = runtime.enter();
    let others = Viewer::open(dir.path().join("out"), Default::default(), ([0, 0, 0, 0], 0).into()).unwrap_err();
    assert_eq!(others.code(), Code::InvalidConfig);
    let viewer = Viewer::open(dir.path().join("out"), Default::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    drop(entered);
    let address = viewer.address();
    assert_eq!(ask(address, "/ui/traces", &[]).status, 200);
    let told = ask(address, "/api/v1/recorder", &[]);
    let text = String::from_utf8(told.body).unwrap();
    assert!(told.status == 200 && text.contains("\"health\":null") && text.contains("out"), "{text}");
    assert_eq!(ask(address, "/api/v1/overview", &[]).status, 200);
    assert_eq!(ask(address, "/api/v1/overview", &[("host", "evil.example")]).status, 403);
    // What is not there without a recorder.
    assert_eq!(ask(address, "/v1/traces", &[]).status, 404);
    let taken = runtime.block_on(async { Viewer::open(dir.path(), Default::default(), address) }).unwrap_err();
    assert_eq!(taken.code(), Code::BindFailed);
}

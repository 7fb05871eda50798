//! The pages as a service: `/` and everything below `/ui` is the one page that the browser makes all others of, `/assets/…` are its
//! files, whose names change with what is in them.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use otlp_arrow::internal::DASHBOARD;
use otlp_arrow_api::internal::visit;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Refusal, Request, Route, Service, answer};

use crate::files::{FILES, File};

/// Nothing but what came from here is run, drawn or asked; nobody puts it into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// In the place of pages that were not built.
const MISSING: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>otlp-arrow</title>
<h1>The dashboard is not in this build</h1>
<p>It is made by Node.js, which <code>cargo build</code> does not need. In the repository:</p>
<pre>npm install
npm run build:dashboard
cargo build</pre>
<p>Everything it shows is answered at <a href=\"/api/v1/overview\">/api/v1</a> as well, and by <code>otlp-arrow services</code>.</p>
</html>
";

/// See the module.
pub(crate) struct Pages;

impl Service for Pages {
    fn name(&self) -> &'static str {
        DASHBOARD
    }

    fn key(&self) -> String {
        DASHBOARD.to_owned()
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::get("/"), Route::get("/ui"), Route::get("/ui/").and_below(), Route::get("/assets/").and_below()]
    }

    fn usage(&self) -> Option<&'static str> {
        Some("GET / in a browser")
    }

    fn refused(&self, refusal: &Refusal) -> Option<Response<Answer>> {
        let mut response = answer::plain(400, "text/plain; charset=utf-8", refusal.message().to_owned());
        guarded(response.headers_mut());
        Some(response)
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        let answered = answered(&request.head, identity);
        Box::pin(async move { answered })
    }
}

fn answered(head: &Parts, identity: &Identity) -> Result<Response<Answer>, Refusal> {
    visit(head, identity)?;
    let path = head.uri.path();
    let is_asset = path.starts_with("/assets/");
    let wanted = if is_asset { path } else { "/" };
    match FILES.iter().find(|file| file.path == wanted) {
        Some(file) => Ok(served(file, is_asset, &head.headers)),
        None if is_asset => Err(Refusal::unknown_path(path, "the page was built anew: load it again")),
        None => {
            let mut response = answer::plain(200, "text/html; charset=utf-8", MISSING);
            guarded(response.headers_mut());
            Ok(response)
        }
    }
}

/// One file, or "you have it".
fn served(file: &'static File, is_asset: bool, given: &HeaderMap) -> Response<Answer> {
    let (bytes, encoding) = file.bytes(given.get(header::ACCEPT_ENCODING));
    let mut known = given.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.any(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.tag));
    let mut response = answer::plain(200, file.media_type(), if is_known { &b""[..] } else { bytes });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Some(encoding) = encoding.filter(|_| !is_known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    // The name of an asset is of its content; the page that names them is asked for each time.
    let keep = if is_asset { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, HeaderValue::from_static(file.tag));
    guarded(headers);
    response
}

fn guarded(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

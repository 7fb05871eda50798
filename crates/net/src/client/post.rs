//! One JSON document to one URL, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Uri};
use http_body_util::Full;
use otlp_arrow_base::clock::Clock;

use super::{Client, ClientOptions, Failure, Proxies, Proxy};
use crate::reload::Reloaded;
use crate::tls::ClientPems;

/// So much of an answer is read.
const MAX_ANSWER: usize = 64 << 10;

/// Posts `body`, through the proxy that `proxy` names for the URL; the error says what went wrong and never where to, because
/// such URLs are secrets.
pub async fn post_json(
    url: &str,
    body: Bytes,
    timeout: Duration,
    proxy: impl FnOnce(&Uri) -> Option<Proxy>,
) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "the URL cannot be read".to_owned())?;
    let proxies = proxy(&uri).map(|proxy| Proxies::default().with(&uri, proxy)).unwrap_or_default();
    let proxies = Reloaded::new([], Clock::system(), move || Ok(proxies.clone())).map_err(|error| error.to_string())?;
    let (tls, proxy_tls) = (ClientPems::default(), ClientPems::default());
    let (proxies, server_name) = (Some(Arc::new(proxies)), None);
    let options = ClientOptions { tls, server_name, proxies, proxy_tls, http2: false, timeout, max_answer: MAX_ANSWER };
    let client = Client::new(options).map_err(|error| error.to_string())?;
    let mut request = Request::post(uri).body(Full::new(body)).map_err(|error| error.to_string())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let status = match client.send(request).await {
        Ok(reply) => reply.head.status,
        Err(Failure::TooLong(status) | Failure::Interrupted(status, _)) => status,
        Err(Failure::Timeout { .. }) => return Err(format!("no answer within {timeout:?}")),
        Err(Failure::Settings(_) | Failure::Connection(_)) => return Err("it cannot be reached".to_owned()),
    };
    if status.is_success() { Ok(()) } else { Err(format!("the answer was {status}")) }
}

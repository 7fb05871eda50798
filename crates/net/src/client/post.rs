//! One JSON document to one URL, on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;

use super::connect::Connector;
use crate::tls::{self, ClientFiles};

/// Posts `body`; the error says what went wrong and never where to, because such URLs are secrets.
pub async fn post_json(url: &str, body: Bytes, timeout: Duration) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "the URL cannot be read".to_owned())?;
    let tls = tls::client(&ClientFiles::default(), false).map_err(|error| error.to_string())?;
    let connector = Connector::new(tls, None, timeout);
    let client = HyperClient::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let mut request = Request::post(uri).body(Full::new(body)).map_err(|error| error.to_string())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match tokio::time::timeout(timeout, client.request(request)).await {
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) => Err(format!("the answer was {}", response.status())),
        Ok(Err(_)) => Err("it cannot be reached".to_owned()),
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}

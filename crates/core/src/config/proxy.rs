//! The keys of `forward[].proxy`, and what the variables say that all programs share.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::raw::Origin;
use super::read::{Reader, plain};
use super::tls::tls;
use super::value::HIDDEN;
use crate::destinations::{Proxy, Through, Variables};

/// Reads what stands at `at`. Where no proxy is named, the variables count, and what they say of `endpoint` is shown.
pub(super) fn proxy(
    reader: &mut Reader<'_>,
    at: &str,
    endpoint: Option<&str>,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Proxy {
    let url = format!("{at}.url");
    let through = match reader.proxy_url(&url) {
        Some(Some(server)) => Through::Server(server),
        Some(None) => Through::Nothing,
        None => Through::Environment(Variables::of(env, warnings)),
    };
    let (name_key, password_key) = (format!("{at}.username"), format!("{at}.password"));
    let username = reader.secret(&name_key).map(|name| name.expose_secret().to_owned());
    let password = reader.secret(&password_key);
    let mut proxy = Proxy { through, tls: tls(reader, &format!("{at}.tls")) };
    let key = if username.is_some() { &name_key } else { &password_key };
    if matches!(proxy.through, Through::Nothing) && (username.is_some() || password.is_some()) {
        reader.fail(key, &format!("has no meaning with {url}: none: leave it out"));
    }
    let given = matches!(proxy.through, Through::Server(_));
    for server in proxy.servers() {
        if given && (username.is_some() && server.username.is_some() || password.is_some() && server.password.is_some())
        {
            reader.fail(key, &format!("= {HIDDEN} is in {url} as well: leave one of them out"));
        }
        server.username = username.clone().or_else(|| server.username.take());
        server.password = password.clone().or_else(|| server.password.take());
        if server.username.is_none() && server.password.is_some() {
            reader.fail(&password_key, &format!("needs a user name: set {name_key}"));
        }
        if given && !server.https && proxy_tls(reader, at) {
            reader
                .fail(&format!("{at}.tls"), "has no meaning with a proxy whose URL begins with http://: leave it out");
        }
    }
    show(reader, &url, endpoint, &proxy);
    proxy
}

fn proxy_tls(reader: &Reader<'_>, at: &str) -> bool {
    reader.is_set(&format!("{at}.tls"))
}

/// Shows which proxy applies where a variable says so.
fn show(reader: &mut Reader<'_>, key: &str, endpoint: Option<&str>, proxy: &Proxy) {
    let Some(Ok(url)) = endpoint.map(str::parse) else { return };
    match proxy.explained(&url) {
        Ok(Some((Some(variable), server))) => {
            reader.record(key, plain(&server.to_string()), Origin::Variable(variable.to_owned()));
        }
        Err(variable) => reader.record(key, "none".to_owned(), Origin::Variable(variable.to_owned())),
        Ok(_) => {}
    }
}

//! The keys of TLS towards a server: each PEM in a file, as text, or where a secret may be.

use super::read::Reader;
use crate::destinations::{Secret, Tls};

/// Reads what stands at `at`, but for the name that is expected.
pub(super) fn tls(reader: &mut Reader<'_>, at: &str) -> Tls {
    let tls = Tls {
        ca_file: reader.path(&format!("{at}.ca_file")),
        cert_file: reader.path(&format!("{at}.cert_file")),
        key_file: reader.path(&format!("{at}.key_file")),
        ca_pem: reader.secret(&format!("{at}.ca_pem")),
        cert_pem: reader.secret(&format!("{at}.cert_pem")),
        key_pem: reader.secret(&format!("{at}.key_pem")),
        server_name: None,
    };
    let all = [
        ("ca", &tls.ca_file, &tls.ca_pem),
        ("cert", &tls.cert_file, &tls.cert_pem),
        ("key", &tls.key_file, &tls.key_pem),
    ];
    for (name, file, pem) in all {
        if file.is_some() && pem.is_some() {
            reader
                .fail(&format!("{at}.{name}_pem"), &format!("is given as {name}_file as well: leave one of them out"));
        }
        if let Some(Err(error)) = file.as_ref().map(std::fs::File::open) {
            reader.fail(&format!("{at}.{name}_file"), &format!("cannot be read: {error}"));
        }
    }
    let given = |file: bool, pem: &Option<Secret>| file || pem.is_some();
    if given(tls.cert_file.is_some(), &tls.cert_pem) != given(tls.key_file.is_some(), &tls.key_pem) {
        reader.fail(at, "needs a certificate and its key together: cert_file or cert_pem, and key_file or key_pem");
    }
    tls
}

//! The files that were compiled in, and which form of one a client gets.

use http::HeaderValue;

/// One file of the pages.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: &'static str,
    /// Its `ETag`.
    pub(crate) tag: &'static str,
    pub(crate) plain: &'static [u8],
    pub(crate) brotli: &'static [u8],
    pub(crate) gzip: &'static [u8],
}

pub(crate) const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

impl File {
    /// The bytes that a client takes, and how they are compressed.
    pub(crate) fn bytes(&self, accepted: Option<&HeaderValue>) -> (&'static [u8], Option<&'static str>) {
        let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
        [("br", self.brotli), ("gzip", self.gzip)]
            .into_iter()
            .find(|(name, _)| accepts(accepted, name))
            .map_or((self.plain, None), |(name, bytes)| (bytes, Some(name)))
    }

    pub(crate) fn media_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json" | "map") => "application/json",
            Some("woff2") => "font/woff2",
            Some("png") => "image/png",
            _ => "text/html; charset=utf-8",
        }
    }
}

/// Whether `Accept-Encoding` names it, and does not refuse it (`br;q=0`).
fn accepts(accepted: &str, name: &str) -> bool {
    accepted.split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        let named = parts.next().is_some_and(|given| given.eq_ignore_ascii_case(name));
        let refused = parts.any(|word| {
            word.strip_prefix("q=").is_some_and(|share| share.parse::<f32>().is_ok_and(|share| share <= 0.0))
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_best_form_that_it_takes() {
        let file = File { path: "/assets/a.js", tag: "\"1\"", plain: b"plain", brotli: b"br", gzip: b"gz" };
        let of = |accepted: &str| file.bytes(Some(&HeaderValue::try_from(accepted).unwrap()));
        assert_eq!(file.bytes(None), (&b"plain"[..], None));
        assert_eq!(of("gzip, deflate, br, zstd"), (&b"br"[..], Some("br")));
        assert_eq!(of("gzip"), (&b"gz"[..], Some("gzip")));
        assert_eq!(of("br;q=0, gzip;q=0.5"), (&b"gz"[..], Some("gzip")));
        assert_eq!(of("GZIP"), (&b"gz"[..], Some("gzip")));
        for none in ["identity", "", "brotli", "*;q=0", "br;q=0.0,gzip; q=0"] {
            assert_eq!(of(none), (&b"plain"[..], None), "{none}");
        }
        assert_eq!(file.media_type(), "text/javascript; charset=utf-8");
    }

    #[test]
    fn what_is_compiled_in_is_whole() {
        use std::io::Read;
        for file in FILES {
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(file.gzip).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.plain, "{}", file.path);
            assert!(!file.brotli.is_empty() && file.tag.len() > 2);
        }
        if let Some(index) = FILES.iter().find(|file| file.path == "/") {
            // Everything that the first page names is there.
            let text = std::str::from_utf8(index.plain).unwrap();
            let named = text.split('"').filter(|part| part.starts_with("/assets/"));
            let mut some = 0;
            for path in named {
                assert!(FILES.iter().any(|file| file.path == path), "{path}");
                some += 1;
            }
            assert!(some >= 3, "{text}");
        }
    }
}

//! What an answer is written as, and how it is compressed.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, AsHeaderName};
use otlp_arrow::{Code, OtlpError};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::server::Refusal;

/// What an answer is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object.
    Json,
    /// The table as an Arrow IPC stream.
    Arrow,
    /// The records as OTLP in JSON, one request of each signal a line.
    OtlpJson,
    /// The records as OTLP in protobuf.
    OtlpProtobuf,
    /// For people and agents.
    Text,
}

/// The forms of tables.
pub(crate) const TABLE: &[Form] = &[Form::Json, Form::Arrow];
/// The forms of lists of records of one signal.
pub(crate) const RECORDS: &[Form] = &[Form::Json, Form::Arrow, Form::OtlpJson, Form::OtlpProtobuf];
/// The forms of one trace, which may have records of two signals: OTLP in protobuf has no way to say which is which.
pub(crate) const TRACE: &[Form] = &[Form::Json, Form::Arrow, Form::OtlpJson, Form::Text];
/// What is not a table.
pub(crate) const JSON: &[Form] = &[Form::Json];

impl Form {
    /// The value of the word `format`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::Arrow => "arrow",
            Form::OtlpJson => "otlp",
            Form::OtlpProtobuf => "otlp_protobuf",
            Form::Text => "text",
        }
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Arrow => "application/vnd.apache.arrow.stream",
            Form::OtlpJson => "application/x-ndjson",
            Form::OtlpProtobuf => "application/x-protobuf",
            Form::Text => "text/plain; charset=utf-8",
        }
    }

    /// The form that `format` says, or else the one of `forms` that the client likes most.
    pub(crate) fn of(format: Option<&str>, headers: &HeaderMap, forms: &[Form]) -> Result<Self, Refusal> {
        if let Some(format) = format {
            return forms.iter().copied().find(|form| form.word() == format).ok_or_else(|| {
                let known: Vec<&str> = forms.iter().map(|form| form.word()).collect();
                let text = format!("format = {format:?} is not one of {}", known.join(", "));
                OtlpError::new(Code::InvalidConfig, text).into()
            });
        }
        let accepted = list(headers, ACCEPT);
        if accepted.is_empty() {
            return Ok(forms[0]);
        }
        let liked = |form: &Form| {
            let essence = form.media_type().split(';').next().unwrap_or_default();
            let kind = essence.split('/').next().unwrap_or_default();
            // What is said of the type itself counts before what is said of all.
            let of = |range: &str| accepted.iter().find(|(name, _)| name == range).map(|(_, quality)| *quality);
            of(essence).or_else(|| of(&format!("{kind}/*"))).or_else(|| of("*/*")).unwrap_or(0)
        };
        // The first of those that are liked most.
        let best = forms.iter().rev().max_by_key(|form| liked(form)).filter(|form| liked(form) > 0);
        best.copied().ok_or_else(|| {
            let known: Vec<&str> = forms.iter().map(|form| form.media_type()).collect();
            Refusal::not_acceptable(format!("the answer can be {}: nothing of that is in Accept", known.join(", ")))
        })
    }
}

/// The compression that the client likes most; none where it likes that as much.
pub(crate) fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let accepted = list(headers, ACCEPT_ENCODING);
    let liked = |name: &str| {
        let of = |range: &str| accepted.iter().find(|(name, _)| name == range).map(|(_, quality)| *quality);
        of(name).or_else(|| of("*")).unwrap_or(0)
    };
    let known = [(liked("zstd"), Encoding::Zstd), (liked("gzip"), Encoding::Gzip)];
    let best = known.into_iter().rev().max_by_key(|(quality, _)| *quality)?;
    (best.0 > 0).then_some(best.1)
}

/// The values of a header with their qualities in thousandths, in lower case.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<(String, u32)> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let value = |value: &str| {
        let mut parts = value.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |quality| quality.trim().parse::<f32>().ok())?;
        Some((name, (quality.clamp(0.0, 1.0) * 1000.0) as u32))
    };
    values.flat_map(|values| values.split(',').filter_map(value).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_the_client_likes_most() {
        let of = |accept: &str, forms| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            Form::of(None, &headers, forms).map_err(|refusal| refusal.status().http)
        };
        let arrow = "application/vnd.apache.arrow.stream";
        assert_eq!(of("*/*", TABLE), Ok(Form::Json));
        assert_eq!(of(arrow, TABLE), Ok(Form::Arrow));
        assert_eq!(of(&format!("{arrow};q=0.5, application/json;q=0.4"), TABLE), Ok(Form::Arrow));
        assert_eq!(of(&format!("{arrow};q=0.5, */*"), TABLE), Ok(Form::Json));
        assert_eq!(of("application/json;q=0, */*;q=0.1", TABLE), Ok(Form::Arrow));
        assert_eq!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TRACE), Ok(Form::Json));
        assert_eq!(of("text/*", TRACE), Ok(Form::Text));
        assert_eq!(of("application/x-protobuf", RECORDS), Ok(Form::OtlpProtobuf));
        assert_eq!((of("text/html", TABLE), of("application/json;q=0", JSON)), (Err(406), Err(406)));
        assert_eq!(Form::of(None, &HeaderMap::new(), RECORDS).unwrap(), Form::Json);
        assert_eq!(Form::of(Some("arrow"), &HeaderMap::new(), RECORDS).unwrap(), Form::Arrow);
        assert_eq!(Form::of(Some("arow"), &HeaderMap::new(), RECORDS).unwrap_err().status().http, 400);
    }

    #[test]
    fn the_compression_is_one_that_the_client_knows() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            encoding(&headers)
        };
        for (accept, wanted) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Zstd)),
            ("gzip, deflate", Some(Encoding::Gzip)),
            ("zstd;q=0.5, gzip;q=0.8", Some(Encoding::Gzip)),
            ("identity", None),
            ("br", None),
            ("gzip;q=0", None),
            ("*", Some(Encoding::Zstd)),
            ("*;q=0.3, zstd;q=0", Some(Encoding::Gzip)),
            ("", None),
        ] {
            assert_eq!(of(accept), wanted, "{accept}");
        }
        assert_eq!(encoding(&HeaderMap::new()), None);
    }
}

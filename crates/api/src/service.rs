//! The API as a service behind the router: from one request to its answer.

use std::any::Any;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use http::header;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use otlp_arrow::config::Query;
use otlp_arrow::internal::Inside;
use otlp_arrow::{Code, Format, OtlpError, Result, encode};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::Signal;
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer as Body, Answering, Refusal, Request, Route as Mounted, Service, answer, guard};
use otlp_arrow_query::filter::parse_duration;
use otlp_arrow_query::record::Form::Text;
use otlp_arrow_query::scan::Cancel;
use otlp_arrow_query::{Answer, Ask, AskOptions, Telemetry};
use otlp_arrow_store::budget::Budget;
use serde::Serialize;
use tokio::sync::watch;

use crate::body::{guarded, headed};
use crate::form::{self, Form};
use crate::own::TraceView;
use crate::recorder::Subject;
use crate::routes::{Asked, Route, What};
use crate::threads::{Made, Threads};
use crate::words::{self, Words};
use crate::{openapi, recorder, routes, tail};

/// Bytes of the body of a question.
const MAX_BODY: usize = 64 << 10;
/// What a row of an answer takes that says nothing of it, about.
const ROW_BYTES: usize = 1024;

/// See the module.
pub(crate) struct Api {
    behind: Option<Behind>,
    threads: Threads,
    tails: tail::Tails,
    bodies: Arc<Budget>,
    clock: Clock,
}

/// What is asked, and the recorder that records it, where that is here.
struct Behind {
    subject: Arc<Subject>,
    telemetry: Telemetry,
}

/// A directory that is asked about without a recorder.
#[derive(Debug)]
pub struct Alone {
    /// The directory.
    pub output_dir: std::path::PathBuf,
    /// Bounds on questions.
    pub query: Query,
    /// The longest that a client may take for a piece of an answer.
    pub patience: std::time::Duration,
    /// What waiting goes by.
    pub clock: Clock,
    /// True once the doors are closing.
    pub stopped: watch::Receiver<bool>,
}

impl Api {
    pub(crate) fn new(inside: &Inside) -> Self {
        let query = inside.recorder.as_ref().map(|recorder| recorder.config().query.clone()).unwrap_or_default();
        let behind = inside
            .recorder
            .clone()
            .map(|recorder| Behind { telemetry: recorder.telemetry(), subject: Arc::new(Subject::Recorder(recorder)) });
        Self::with(behind, &query, &inside.clock, inside.limits.timeout, &inside.stopped)
    }

    /// Questions to a directory without a recorder.
    pub(crate) fn alone(alone: Alone) -> Self {
        let Alone { output_dir, query, patience, clock, stopped } = alone;
        let telemetry = Telemetry::with(&output_dir, query.clone());
        let subject = Arc::new(Subject::Directory { output_dir, query: query.clone() });
        Self::with(Some(Behind { telemetry, subject }), &query, &clock, patience, &stopped)
    }

    fn with(
        behind: Option<Behind>,
        query: &Query,
        clock: &Clock,
        patience: std::time::Duration,
        stopped: &watch::Receiver<bool>,
    ) -> Self {
        Self {
            behind,
            threads: Threads::new(query.max_concurrent, query.timeout, patience, clock.clone(), stopped.clone()),
            tails: tail::Tails::new(clock.clone(), patience, stopped.clone()),
            // Not from the budget of the data: a full buffer must not keep anybody from asking why.
            bodies: Arc::new(Budget::new(64 * MAX_BODY)),
            clock: clock.clone(),
        }
    }

    async fn answer(&self, request: &mut Request, identity: &Identity) -> Result<Response<Body>, Refusal> {
        guard::admit(&request.head, identity)?;
        let path = request.head.uri.path();
        let (route, mut words) = routes::find(path.strip_prefix(words::ROOT).unwrap_or(path))?;
        route.admit(&request.head.method)?;
        let behind =
            self.behind.as_ref().ok_or_else(|| OtlpError::new(Code::Unavailable, "no recorder is behind this door"))?;
        words.extend(words::of_query(request.head.uri.query().unwrap_or_default())?);
        if request.head.method == Method::POST {
            words.extend(self.body(request).await?);
        }
        words.extend(route.set().iter().map(|(word, value)| ((*word).to_owned(), (*value).to_owned())));
        match route.what {
            What::Asks(..) | What::Overview(_) => self.asked(behind, route, words, &request.head).await,
            What::Tail => self.tails.open(&behind.telemetry, words, &request.head.headers).await,
            What::Recorder => {
                recorder::no_words(&words)?;
                let subject = Arc::clone(&behind.subject);
                self.json(move || Ok(recorder::shown(&subject))).await
            }
            What::Destination(hand) => {
                let (subject, name) = (Arc::clone(&behind.subject), routes::take(&mut words, "name")?);
                recorder::no_words(&words)?;
                self.json(move || recorder::take_in_hand(&subject, &name, hand)).await
            }
            What::Document => {
                recorder::no_words(&words)?;
                self.whole(Form::Json, None, openapi::text().into_bytes(), &request.head.headers)
            }
        }
    }

    /// The words of a JSON body. Forms of web pages cannot send that type.
    async fn body(&self, request: &mut Request) -> Result<Words, Refusal> {
        let given = request.head.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let given = given.unwrap_or("none");
            return Err(Refusal::media_type(format!("content type {given:?}: send application/json")));
        }
        if let Some(encoding) = Encoding::parse(request.head.headers.get(header::CONTENT_ENCODING))? {
            return Err(Refusal::media_type(format!("content encoding {}: send the body as it is", encoding.name())));
        }
        let mut reservation = self.bodies.reserve(Signal::Logs, 0)?;
        Ok(words::of_json(&request.body.complete(MAX_BODY, &mut reservation).await?)?)
    }

    async fn asked(
        &self,
        behind: &Behind,
        route: &'static Route,
        mut words: Words,
        head: &Parts,
    ) -> Result<Response<Body>, Refusal> {
        let asked = route.asked().ok_or_else(|| OtlpError::new(Code::Internal, "a route without its question"))?;
        let format = common(&mut words, "format")?;
        let form = Form::of(format.as_deref(), &head.headers, route.forms)?;
        let timeout = common(&mut words, "timeout")?.map(|text| {
            let problem =
                |problem: String| OtlpError::new(Code::InvalidConfig, format!("timeout = {text:?} {problem}"));
            parse_duration(&text).map(std::time::Duration::from_nanos).map_err(problem)
        });
        let cancel = Cancel::default();
        let timeout = timeout.transpose()?;
        let (deadline, clock) = (self.threads.deadline(timeout), self.clock.clone());
        let options = AskOptions { timeout, cancel: cancel.clone(), progress: None };
        let encoding = form::encoding(&head.headers);
        let (telemetry, overview) = (behind.telemetry.clone(), matches!(route.what, What::Overview(_)));
        let subject = overview.then(|| Arc::clone(&behind.subject));
        let made = self.threads.write(
            behind.telemetry.clone(),
            encoding,
            cancel,
            deadline,
            move || {
                // What it waited is part of its time.
                let left = deadline.map(|deadline| clock.left(deadline));
                ask(asked, &telemetry, words, &AskOptions { timeout: left, ..options }, form)
            },
            move |answer, out| write(&**answer, form, subject.as_deref(), out),
        );
        match made.await? {
            Made::Whole(whole) => self.whole(form, encoding, whole, &head.headers),
            Made::Begun(body) => Ok(headed(form.media_type(), encoding, body)),
        }
    }

    /// What `work` comes to, on a thread of its own, as JSON.
    async fn json<T: Serialize + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Response<Body>, Refusal> {
        let value = self
            .threads
            .run(Cancel::default(), self.threads.deadline(None), |_turn, sender| drop(sender.send(work())))
            .await?;
        let json =
            serde_json::to_vec(&value).map_err(|error| OtlpError::with_source(Code::Internal, "no JSON", error))?;
        let mut response = headed(Form::Json.media_type(), None, self.threads.send(json));
        // It changes by itself.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// An answer that is all there, or "you have it".
    fn whole(
        &self,
        form: Form,
        encoding: Option<Encoding>,
        whole: Vec<u8>,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Refusal> {
        let mut hasher = DefaultHasher::new();
        hasher.write(&whole);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known = known.flat_map(|tags| tags.split(',')).any(|known| {
            let known = known.trim();
            known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
        });
        let body = if is_known { Body::Complete(None) } else { self.threads.send(whole) };
        let mut response = headed(form.media_type(), encoding, body);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        Ok(response)
    }
}

/// A word that is not of the question but of how it is answered.
fn common(words: &mut Words, name: &'static str) -> Result<Option<String>> {
    let (mut taken, rest): (Words, Words) = std::mem::take(words).into_iter().partition(|(word, _)| word == name);
    *words = rest;
    match taken.len() {
        0 | 1 => Ok(taken.pop().map(|(_, value)| value)),
        _ => Err(OtlpError::new(Code::InvalidConfig, format!("{name} is given twice: give it once"))),
    }
}

fn ask(
    asked: Asked,
    telemetry: &Telemetry,
    words: Words,
    options: &AskOptions,
    form: Form,
) -> Result<(usize, Box<dyn Answer>)> {
    let answer = asked.ask(telemetry, words, options)?;
    let records: usize = answer.records().iter().map(|(_, batch)| batch.get_array_memory_size()).sum();
    // A table is made beside what it is made of.
    let made = if form == Form::Arrow && records == 0 { 2 } else { 1 };
    Ok((records.max(answer.rows() * ROW_BYTES) * made, answer))
}

fn write(
    answer: &dyn Answer,
    form: Form,
    subject: Option<&Subject>,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    match form {
        Form::Json => match subject {
            None => answer.write(Text, out),
            Some(subject) => {
                // One more entry of the same object.
                let mut json = answer.to_json().map_err(std::io::Error::other)?;
                json.pop();
                out.write_all(json.as_bytes())?;
                out.write_all(b",\"recorder\":")?;
                serde_json::to_writer(&mut *out, &recorder::shown(subject))?;
                out.write_all(b"}")
            }
        },
        Form::Arrow => answer.write_ipc(out).map_err(std::io::Error::other),
        Form::OtlpJson | Form::OtlpProtobuf => {
            let (format, end) = if form == Form::OtlpJson { (Format::Json, "\n") } else { (Format::Protobuf, "") };
            for (signal, batch) in answer.records() {
                if batch.num_rows() > 0 {
                    let otlp = encode(signal, &[batch], format).map_err(std::io::Error::other)?;
                    out.write_all(&otlp)?;
                    out.write_all(end.as_bytes())?;
                }
            }
            Ok(())
        }
        Form::Text => match (answer as &dyn Any).downcast_ref::<TraceView>() {
            Some(trace) => trace.write_text(out),
            None => Err(std::io::Error::other("only traces are written for people")),
        },
    }
}

impl Service for Api {
    fn name(&self) -> &'static str {
        routes::NAME
    }

    fn routes(&self) -> Vec<Mounted> {
        vec![Mounted::http("/api/", "GET, HEAD, POST").and_below().in_its_own_time()]
    }

    fn usage(&self) -> Option<&'static str> {
        Some("GET /api/v1/…")
    }

    fn refused(&self, refusal: &Refusal) -> Option<Response<Body>> {
        let body = serde_json::json!({ "code": refusal.code().as_str(), "message": refusal.message() });
        let mut response = answer::plain(400, "application/json", body.to_string());
        guarded(response.headers_mut());
        Some(response)
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        Box::pin(self.answer(request, identity))
    }
}

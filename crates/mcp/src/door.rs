//! `/mcp` on the listeners: from a request to the protocol and back.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, Full};
use otlp_arrow::internal::Inside;
use otlp_arrow::{Code, OtlpError, Signal};
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Refusal, Request, Route, Service, answer};
use otlp_arrow_query::Ask as _;
use otlp_arrow_store::budget::Budget;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::hand::Hand;
use crate::server::Agent;
use crate::tools::Place;

/// Where it is answered.
pub const PATH: &str = "/mcp";
/// Bytes of one request.
const MAX_BODY: usize = 256 << 10;

/// See the module.
pub(crate) struct McpDoor {
    service: Option<StreamableHttpService<Agent, NeverSessionManager>>,
    bodies: Arc<Budget>,
}

impl McpDoor {
    pub(crate) fn new(inside: &Inside) -> Self {
        let service = inside.recorder.clone().map(|recorder| {
            let (output_dir, telemetry) = (recorder.config().output_dir.clone(), recorder.telemetry());
            let agent =
                Agent { place: Place { output_dir, recorder: Some(recorder), telemetry }, hand: Hand::default() };
            // Nothing is kept between requests, for clients of old revisions neither: each can be answered by any process.
            let config = StreamableHttpServerConfig::default()
                .with_legacy_session_mode(false)
                .with_json_response(true)
                .with_max_request_body_bytes(MAX_BODY)
                // Who is answered is decided before, by the rules of all that answer questions.
                .disable_allowed_hosts();
            let make = move || -> io::Result<Agent> { Ok(agent.clone()) };
            StreamableHttpService::new(make, Arc::new(NeverSessionManager::default()), config)
        });
        // Not from the budget of the data: a full buffer must not keep anybody from asking why.
        Self { service, bodies: Arc::new(Budget::new(16 * MAX_BODY)) }
    }

    async fn answer(&self, request: &mut Request, identity: &Identity) -> Result<Response<Answer>, Refusal> {
        otlp_arrow_api::internal::admit(&request.head, identity)?;
        let service = self.service.as_ref();
        let service = service.ok_or_else(|| OtlpError::new(Code::Unavailable, "no recorder is behind this door"))?;
        let mut reservation = self.bodies.reserve(Signal::Logs, 0)?;
        let body = request.body.complete(MAX_BODY, &mut reservation).await?;
        let inner = http::Request::from_parts(request.head.clone(), Full::new(body));
        let response = service.handle(inner).await;
        let mut response = response.map(|body| {
            let body = body.map_err(|never: Infallible| match never {});
            Answer::Other(Box::pin(body))
        });
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

impl Service for McpDoor {
    fn name(&self) -> &'static str {
        otlp_arrow::internal::MCP
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::post(PATH).in_its_own_time()]
    }

    fn usage(&self) -> Option<&'static str> {
        Some("POST /mcp")
    }

    fn refused(&self, refusal: &Refusal) -> Option<Response<Answer>> {
        let body = serde_json::json!({ "code": refusal.code().as_str(), "message": refusal.message() });
        Some(answer::plain(400, "application/json", Bytes::from(body.to_string())))
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        Box::pin(self.answer(request, identity))
    }
}

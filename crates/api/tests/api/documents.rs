//! What is documented is what there is.

use otlp_arrow_testkit::fresh::{fresh, section};
use serde_json::Value;

use crate::support::{Answering, get};

#[test]
fn the_table_of_routes_and_the_openapi_document_are_fresh() {
    fresh("docs/query.md", &section("docs/query.md", "routes", &otlp_arrow_api::markdown()));
    let mut text = serde_json::to_string_pretty(&otlp_arrow_api::openapi()).unwrap();
    text.push('\n');
    fresh("docs/openapi.json", &text);
}

#[test]
fn the_document_is_served_and_every_path_in_it_is_answered() {
    let answering = Answering::with(50);
    let reply = answering.get("/api/v1/openapi.json");
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    let document = reply.json();
    assert_eq!(document, otlp_arrow_api::openapi());
    let trace = answering.json("/traces?limit=1")["traces"][0]["trace_id"].as_str().unwrap().to_owned();
    let span = answering.json(&format!("/traces/{trace}"))["spans"][0]["span_id"].as_str().unwrap().to_owned();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let filled = path.replace("{trace}", &trace).replace("{span}", &span).replace("{metric}", "shop%2Forders");
        let filled = filled.replace("{key}", "http.route").replace("{signal}", "logs").replace("{name}", "none");
        if operations["get"].is_object() && !path.starts_with("/tail/") {
            let words = match path.as_str() {
                "/compare" => "?a=service%3Dcheckout&b=service%3Dpayment",
                "/overrepresented" => "?status=error",
                _ => "",
            };
            let reply = answering.get(&format!("/api/v1{filled}{words}"));
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            let schema = &operations["get"]["responses"]["200"]["content"]["application/json"]["schema"];
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(reply.json()[required.as_str().unwrap()].is_object(), "{path}: {required}");
            }
        }
    }
    // Every parameter that it names is one that is taken.
    for (path, operations) in document["paths"].as_object().unwrap() {
        for parameter in operations["get"]["parameters"].as_array().into_iter().flatten() {
            let reference =
                parameter["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/parameters/"));
            assert!(reference.is_none_or(|name| document["components"]["parameters"][name].is_object()), "{path}");
        }
    }
}

#[test]
fn what_is_switched_off_says_by_which_key() {
    let answering = Answering::empty(|config| config.protocols.api = false);
    let (status, _, message) = get(answering.address, "/api/v1/services", &[]).refusal();
    assert!(status == 404 && message.contains("protocols.api: true"), "{message}");
    let _: Value = Answering::empty(|_| ()).json("/services");
}

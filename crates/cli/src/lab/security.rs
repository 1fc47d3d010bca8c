//! Refuses requests of other pages, although every page in the browser can reach this server.
//!
//! Listening on 127.0.0.1 excludes other computers. `Origin` and `Sec-Fetch-Site`, which the
//! browser sets and a page cannot forge, exclude other pages in the same browser. `Host` excludes a
//! page that points its own name at 127.0.0.1 ("DNS rebinding").

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::lab::reply::Problem;

/// No external resources, no inline scripts or styles, no text as markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names of this server.
#[derive(Clone)]
pub struct Hosts(Arc<[String; 3]>);

impl Hosts {
    pub fn new(port: u16) -> Self {
        Self(Arc::new(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"))))
    }

    fn know(&self, host: &str) -> bool {
        self.0.iter().any(|known| known == host)
    }

    /// Why a request with these headers is refused, if it is.
    fn objection(&self, path: &str, headers: &HeaderMap) -> Option<&'static str> {
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let Some(host) = text(&HOST).filter(|host| self.know(host)) else {
            return Some("this server answers to 127.0.0.1 and localhost only");
        };
        if let Some(origin) = text(&ORIGIN)
            && origin.strip_prefix("http://") != Some(host)
        {
            return Some("another page may not use this server");
        }
        // Any page may link to this one; only the page itself may ask questions.
        if path.starts_with("/api/")
            && let Some(site) = text(&SEC_FETCH_SITE)
            && !matches!(site, "same-origin" | "none")
        {
            return Some("another page may not use this server");
        }
        None
    }
}

/// Refuses foreign requests, and sets the security headers of every reply.
pub async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match hosts.objection(request.uri().path(), request.headers()) {
        Some(objection) => Problem::new(StatusCode::FORBIDDEN, objection).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::Hosts;

    fn is_refused(path: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Hosts::new(4000).objection(path, &headers).is_some()
    }

    #[test]
    fn only_the_page_itself_may_ask() {
        let host = ("host", "127.0.0.1:4000");
        assert!(!is_refused("/api/chain", &[host]));
        assert!(!is_refused("/api/chain", &[host, ("origin", "http://127.0.0.1:4000")]));
        assert!(!is_refused(
            "/api/chain",
            &[("host", "localhost:4000"), ("origin", "http://localhost:4000")]
        ));
        assert!(is_refused("/api/chain", &[host, ("origin", "http://localhost:4000")]));
        assert!(is_refused("/api/chain", &[host, ("origin", "http://foreign.example")]));
        assert!(is_refused("/api/chain", &[host, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn other_names_for_this_machine_are_refused() {
        assert!(is_refused("/", &[]));
        for host in
            ["rebound.example", "rebound.example:4000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:40000"]
        {
            assert!(is_refused("/", &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_link_to_the_page_may_stand_anywhere() {
        assert!(!is_refused("/", &[("host", "localhost:4000"), ("sec-fetch-site", "cross-site")]));
    }
}

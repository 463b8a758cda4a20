//! Around every request: the host, the token, headers of answers, counters.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::catalog::Catalog;
use crate::error::ApiError;

pub(crate) async fn guard(State(catalog): State<Catalog>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let is_api = path.as_deref().is_some_and(|path| path.ends_with("/metrics") || path.contains("/api/"));
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match checked(&catalog, &request, is_api) {
        Err(error) => error.into_response(),
        Ok(()) if is_preflight(&catalog, &request) => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
    };
    finish(&catalog, &mut response, is_api, origin.as_ref());
    let (status, route) = (response.status().as_u16(), path.as_deref().unwrap_or("other"));
    catalog.metrics().request(known(&method), route, status);
    if let Some(bytes) = axum::body::HttpBody::size_hint(response.body()).exact()
        && route != "/api/tables/{name}/file"
    {
        catalog.metrics().bytes.inc_by(bytes);
    }
    tracing::info!(method = known(&method), route, status, "request");
    response
}

/// A client may invent methods, and each would be a counter.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn checked(catalog: &Catalog, request: &Request, is_api: bool) -> Result<(), ApiError> {
    if catalog.local_hosts_only() && !is_local_host(request.headers(), request.uri()) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "host",
            "this server answers to localhost and the addresses of loopback alone",
        ));
    }
    match catalog.token() {
        Some(token) if is_api && !is_preflight(catalog, request) && !has_token(request, token) => {
            Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "the token is missing or wrong: `Authorization: Bearer TOKEN` or `?token=TOKEN`",
            ))
        },
        _ => Ok(()),
    }
}

/// A name that a page elsewhere cannot have made its own.
fn is_local_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default().to_owned(),
        (None, None) => uri.authority().map(ToString::to_string).unwrap_or_default(),
        _ => return false,
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port.strip_prefix(':').unwrap_or(port)),
            None => return false,
        },
        None => host.split_once(':').unwrap_or((&host, "")),
    };
    let is_known = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_known && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_token(request: &Request, token: &str) -> bool {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
    });
    if let Some(given) = bearer {
        return are_equal(given.as_bytes(), token.as_bytes());
    }
    let query = request.uri().query().unwrap_or_default();
    let mut given = query.split('&').filter_map(|pair| pair.strip_prefix("token="));
    let Some(given) = given.next() else { return false };
    let given: Vec<u8> = percent_encoding::percent_decode_str(&given.replace('+', " ")).collect();
    are_equal(&given, token.as_bytes())
}

/// Takes as long for a token that is wrong at its start as for one that is wrong at its end.
fn are_equal(given: &[u8], token: &[u8]) -> bool {
    let mut difference = given.len() ^ token.len();
    for (at, byte) in token.iter().enumerate() {
        difference |= usize::from(given.get(at).copied().unwrap_or(!byte) ^ byte);
    }
    std::hint::black_box(difference) == 0
}

/// A browser asks whether a page of the origin that was allowed may send a request.
fn is_preflight(catalog: &Catalog, request: &Request) -> bool {
    catalog.origin().is_some()
        && request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// For the page: its own scripts and styles, pictures and downloads that it makes, and WebAssembly of its own.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// For answers of the API, which no browser should run anything of; a layout has styles.
const API_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

fn finish(catalog: &Catalog, response: &mut Response, is_api: bool, origin: Option<&HeaderValue>) {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, if is_api { API_POLICY } else { PAGE_POLICY });
    let Some(allowed) = catalog.origin() else {
        set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        return;
    };
    set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|origin| origin.as_bytes() == allowed.as_bytes()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE");
        set(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, range, if-range, if-none-match",
        );
        set(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "x-floe-query-id, etag, content-range, accept-ranges, retry-after",
        );
        set(header::ACCESS_CONTROL_MAX_AGE, "600");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_alone() {
        let of = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a header"));
            is_local_host(&headers, &Uri::from_static("/"))
        };
        for host in
            ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:80", "LOCALHOST", "127.0.0.2:80"]
        {
            assert!(of(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:80@evil.example",
            "[::1].evil",
            "[::1",
            "10.0.0.1",
        ] {
            assert!(!of(host), "{host}");
        }
        assert!(!is_local_host(&HeaderMap::new(), &Uri::from_static("/")));
    }

    #[test]
    fn tokens_are_equal_or_not() {
        assert!(are_equal(b"secret", b"secret"));
        for other in ["", "secre", "secrets", "Secret", "secreT"] {
            assert!(!are_equal(other.as_bytes(), b"secret"), "{other}");
        }
    }
}

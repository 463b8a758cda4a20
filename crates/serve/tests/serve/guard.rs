//! Tokens, hosts, origins, headers.

use floe::lazy::IntoLazy;
use floe_serve::{Catalog, CatalogBuilder};

use crate::support::*;

fn server(options: impl Fn(CatalogBuilder) -> CatalogBuilder) -> Server {
    Server::start(options(Catalog::builder()).build().unwrap().with_table("t", numbers(10).lazy()))
}

#[test]
fn every_request_needs_the_token() {
    let server = server(|builder| builder.token("s3cret & more"));
    let described = server.get_with("/api/openapi.json", &[("authorization", "Bearer s3cret & more")]).json();
    for (path, item) in described["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "t").replace("{id}", "q0");
        for method in ["get", "post", "put", "delete"] {
            if item.get(method).is_none() || path == "/healthz" {
                continue;
            }
            let method = method.to_uppercase();
            for headers in [
                vec![],
                vec![("authorization", "Bearer s3cret")],
                vec![("authorization", "Bearer s3cret & more!")],
                vec![("authorization", "Bearer ")],
                vec![("authorization", "Basic s3cret & more")],
            ] {
                assert_eq!(
                    server.send(&method, &path, &headers, b"").error(401),
                    "unauthorized",
                    "{method} {path}"
                );
            }
            let with = |path: &str| server.send(&method, path, &[], b"").status;
            assert_eq!(with(&format!("{path}?token=wrong")), 401);
            assert_ne!(with(&format!("{path}?token=s3cret%20%26%20more")), 401, "{path}");
            let header = [("authorization", "bearer s3cret & more")];
            assert_ne!(server.send(&method, &path, &header, b"").status, 401);
        }
    }
    // A wrong header is not made good by the URL.
    let both = server.get_with("/api/tables?token=s3cret%20%26%20more", &[("authorization", "Bearer x")]);
    assert_eq!(both.status, 401);
    // The page asks for the token, so it is there without one; it has no data.
    assert_eq!((server.get("/healthz").status, server.get("/").status), (200, 200));
    assert_eq!(server.get(&sql_path("SELECT 1 AS a", "&token=s3cret%20%26%20more")).frame().height(), 1);
    assert!(Catalog::builder().token("").build().is_err());
    assert!(!format!("{:?}", Catalog::builder().token("s3cret").build().unwrap()).contains("s3cret"));
}

#[test]
fn other_hosts_are_refused_on_loopback() {
    let server = server(|builder| builder.local_hosts_only(true));
    for host in ["localhost", "localhost:1234", "127.0.0.1:80", "[::1]:80"] {
        assert_eq!(server.get_with("/api/tables", &[("host", host)]).status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1", ""] {
        for path in ["/api/tables", "/", "/healthz", "/metrics"] {
            assert_eq!(server.get_with(path, &[("host", host)]).error(403), "host", "{host} {path}");
        }
    }
}

#[test]
fn pages_elsewhere_may_nothing_unless_asked() {
    let origin = ("origin", "https://notebook.example");
    let plain = server(|builder| builder);
    let answer = plain.get_with("/api/tables", &[origin]);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    let preflight = [origin, ("access-control-request-method", "PUT")];
    assert_eq!(plain.send("OPTIONS", "/api/tables/t", &preflight, b"").status, 405);
    let open = server(|builder| builder.cors_origin("https://notebook.example").token("t"));
    let allowed = open.send("OPTIONS", "/api/tables/t", &preflight, b"");
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(origin.1)));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("PUT"));
    let answer = open.get_with("/api/tables?token=t", &[origin]);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin.1)));
    assert_eq!(open.get_with("/api/tables", &[origin]).status, 401);
    let other = open.get_with("/api/tables?token=t", &[("origin", "https://evil.example")]);
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[test]
fn answers_say_what_browsers_may_do_with_them() {
    let server = server(|builder| builder);
    for path in ["/", "/api/tables", "/healthz", "/nowhere", &sql_path("SELECT 1 AS a", "")] {
        let answer = server.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(
            answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[test]
fn a_folder_as_the_page_shows_its_own_files_alone() {
    let folder = Folder::new();
    folder.put("web/index.html", b"<p>page</p>");
    folder.put("web/assets/a.js", b"1");
    folder.put("secret.txt", b"secret");
    std::os::unix::fs::symlink(folder.path("secret.txt"), folder.path("web/link.txt")).unwrap();
    let server = server(|builder| builder.page_folder(folder.path("web")));
    assert_eq!(server.get("/").text(), "<p>page</p>");
    assert_eq!(server.get("/assets/a.js").header("content-type"), Some("text/javascript; charset=utf-8"));
    for path in [
        "/link.txt",
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets",
        "/none",
    ] {
        let answer = server.get(path);
        assert!(answer.status >= 400 && !answer.text().contains("secret\n"), "{path}: {}", answer.status);
        assert_ne!(answer.text(), "secret", "{path}");
    }
}

//! Tokens, users and TLS.

use floe_flight::*;
use tonic::Code;

use crate::store::*;

async fn call_all(client: &FlightClient) -> Vec<Option<Code>> {
    let code = |error: Option<FlightError>| error.map(|error| error.code());
    vec![
        code(client.list("").await.err()),
        code(client.info(path("a")).await.err()),
        code(client.schema(path("a")).await.err()),
        code(client.get(Ticket::new("a")).await.err()),
        code(client.put(path("b"), numbers(3)).await.err()),
        code(client.exchange(path("b"), numbers(3)).await.err()),
        code(client.action("echo", "").await.err()),
        code(client.actions().await.err()),
    ]
}

async fn locked() -> String {
    let server = FlightServer::new(Store::default()).with_token("open sesame").with_login("ada", "pass:word");
    serve(server).await
}

#[test]
fn no_call_is_answered_without_the_token() {
    run(async {
        let uri = locked().await;
        let without = FlightClient::connect(uri.clone()).await.expect("a connection");
        let wrong =
            FlightConnector::new(uri.clone()).with_token("open").connect().await.expect("a connection");
        for client in [without, wrong] {
            assert_eq!(call_all(&client).await, [Some(Code::Unauthenticated); 8]);
        }
        let right =
            FlightConnector::new(uri).with_token("open sesame").connect().await.expect("a connection");
        assert!(!call_all(&right).await.contains(&Some(Code::Unauthenticated)));
        assert!(right.list("").await.is_ok());
    });
}

#[test]
fn users_log_in_for_the_token() {
    run(async {
        let mut client = FlightClient::connect(locked().await).await.expect("a connection");
        for (user, password) in [("ada", "word"), ("eve", "pass:word"), ("", "")] {
            let error = client.login(user, password).await.expect_err("not known");
            assert_eq!(error.code(), Code::Unauthenticated);
        }
        assert_eq!(client.list("").await.expect_err("no token yet").code(), Code::Unauthenticated);
        client.login("ada", "pass:word").await.expect("a login");
        client.list("").await.expect("a list");
    });
}

#[test]
fn settings_that_contradict_each_other_are_found_before_serving() {
    let no_token = FlightServer::new(Store::default()).with_login("ada", "word").into_service();
    assert!(no_token.expect_err("an error").to_string().contains("with_token"));
    let no_header = FlightServer::new(Store::default()).with_token("line\nbreak").into_service();
    assert!(no_header.is_err());
    let empty = FlightServer::new(Store::default()).with_token(" ").into_service();
    assert!(empty.expect_err("an error").to_string().contains("empty"));
    let certified = FlightServer::new(Store::default()).with_tls("a certificate", "a key").into_service();
    assert!(certified.expect_err("an error").to_string().contains("TLS"));
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let no_identity = FlightServer::new(Store::default()).with_client_ca("an authority").serve(listener);
        assert!(no_identity.await.expect_err("an error").to_string().contains("with_tls"));
        let plain = FlightConnector::new("grpc://127.0.0.1:1").with_tls_domain("localhost");
        let error = plain.connect().await.expect_err("an error");
        assert!(error.to_string().contains("grpc+tls://"), "{error}");
        let connector = FlightConnector::new("http://127.0.0.1:1").with_token("line\nbreak");
        assert!(connector.connect().await.is_err());
    });
}

#[test]
fn secrets_are_in_no_debug_text() {
    let server = FlightServer::new(Store::default()).with_token("secret").with_login("ada", "hidden");
    let connector = FlightConnector::new("http://127.0.0.1:1").with_token("secret");
    let text = format!("{server:?} {connector:?}");
    assert!(!text.contains("secret") && !text.contains("hidden"), "{text}");
}

#[test]
fn tls_is_spoken_to_those_who_trust_the_certificate() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    run(async {
        let server =
            FlightServer::new(Store::default()).with_tls(own.cert.pem(), own.signing_key.serialize_pem());
        let uri = serve(server).await.replace("http://", "grpc+tls://");
        let trusting =
            FlightConnector::new(uri.clone()).with_tls_ca(own.cert.pem()).with_tls_domain("localhost");
        let client = trusting.connect().await.expect("a connection");
        let back =
            client.exchange(path("a"), numbers(1000)).await.expect("frames").collect().await.expect("all");
        assert!(back.equals(&numbers(1000)));

        let suspicious =
            FlightConnector::new(uri.clone()).with_tls_ca(other.cert.pem()).with_tls_domain("localhost");
        assert!(suspicious.connect().await.is_err(), "another certificate");
        let named =
            FlightConnector::new(uri.clone()).with_tls_ca(own.cert.pem()).with_tls_domain("example.com");
        assert!(named.connect().await.is_err(), "another name");
        let plain = FlightClient::connect(uri.replace("grpc+tls://", "grpc://")).await;
        let answer = match plain {
            Ok(client) => client.list("").await.map(drop),
            Err(error) => Err(error),
        };
        assert!(answer.is_err(), "no TLS");
    });
}

#[test]
fn a_certificate_that_is_none_is_an_error() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = FlightServer::new(Store::default()).with_tls("no certificate", "no key");
        assert!(server.serve(listener).await.is_err());
    });
}

#[test]
fn clients_show_their_certificate_if_the_server_wants_one() {
    let server_cert = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let client_cert = rcgen::generate_simple_self_signed(["client".to_owned()]).expect("a certificate");
    run(async {
        let server = FlightServer::new(Store::default())
            .with_tls(server_cert.cert.pem(), server_cert.signing_key.serialize_pem())
            .with_client_ca(client_cert.cert.pem());
        let uri = serve(server).await.replace("http://", "https://");
        let connector = || {
            FlightConnector::new(uri.clone()).with_tls_ca(server_cert.cert.pem()).with_tls_domain("localhost")
        };
        let known =
            connector().with_tls_identity(client_cert.cert.pem(), client_cert.signing_key.serialize_pem());
        known.connect().await.expect("a connection").list("").await.expect("a list");
        let unknown = match connector().connect().await {
            Ok(client) => client.list("").await.map(drop),
            Err(error) => Err(error),
        };
        assert!(unknown.is_err());
    });
}

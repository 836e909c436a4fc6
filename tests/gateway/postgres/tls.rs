//! TLS to the database: servers that each `sslmode` accepts, client certificates that the server accepts,
//! and the text of refusals.

use imperal_tests::User;
use imperal_tests::tls_server::{PASSWORD, TlsServer};
use serde_json::json;

/// The error of `serve` with this address; `None` when it listens.
async fn start(url: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    options.env.push(("IMPERAL_DATABASE_URL".to_owned(), url.to_owned()));
    options.args.extend(["--database-pool", "2"].map(str::to_owned));
    options.log = Some(folder.path().join("log"));
    let node = options.try_start().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains(PASSWORD), "the password is in the log: {log}");
    let Some(node) = node else { return Some(log) };
    // The node also works.
    let anna = User::of(&node, "anna");
    assert_eq!(anna.call("echo", json!({"text": "over TLS"})).await["result"]["summary"], "over TLS");
    node.terminate().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains(PASSWORD), "the password is in the log: {log}");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sslmode_accepts_its_servers_and_explains_refusals() {
    let server = TlsServer::start().await;
    let roots = |name: &str| format!("sslrootcert={}", server.file(name).display());
    let (ca, other, own) = (roots("ca.pem"), roots("other.pem"), roots("server.pem"));

    let accepted = [
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", String::new()),
        // SCRAM binds the password to the server's certificate.
        ("127.0.0.1", "sslmode=require&channel_binding=require".to_owned()),
        ("127.0.0.1", format!("sslmode=require&{ca}")),
        ("127.0.0.1", format!("sslmode=verify-ca&{ca}")),
        ("localhost", format!("sslmode=verify-full&{ca}")),
        // The certificate serves as its own authority.
        ("localhost", format!("sslmode=verify-full&{own}")),
    ];
    for (host, parameters) in &accepted {
        assert_eq!(start(&server.url(host, parameters)).await, None, "{parameters}");
    }

    let refused = [
        // The server refuses connections without TLS.
        ("127.0.0.1", "sslmode=disable".to_owned(), "no encryption"),
        ("127.0.0.1", format!("sslmode=verify-full&{ca}"), "not for 127.0.0.1"),
        ("127.0.0.1", format!("sslmode=verify-full&{own}"), "not for 127.0.0.1"),
        ("localhost", format!("sslmode=verify-full&{other}"), "not issued by sslrootcert"),
        ("localhost", format!("sslmode=verify-ca&{other}"), "not issued by sslrootcert"),
        ("localhost", format!("sslmode=require&{other}"), "not issued by sslrootcert"),
        ("localhost", "sslmode=verify-full".to_owned(), "authorit"),
        ("localhost", "sslmode=verify-ca&sslrootcert=/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
        ("localhost", "sslmode=sometimes".to_owned(), "verify-full"),
    ];
    for (host, parameters, word) in &refused {
        let said = start(&server.url(host, parameters)).await.unwrap_or_else(|| panic!("{parameters} was accepted"));
        assert!(said.contains(word), "{parameters}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificate_replaces_the_password_and_a_wrong_one_is_explained() {
    let server = TlsServer::start().await;
    let file = |name: &str| server.file(name).display().to_string();
    let pair = |certificate: &str, key: &str| format!("sslcert={}&sslkey={}", file(certificate), file(key));
    let right = pair("cara.pem", "cara.key");

    let accepted = [
        server.url_of_cara("localhost", &format!("sslmode=verify-full&sslrootcert={}&{right}", file("ca.pem"))),
        server.words_of_cara(
            "127.0.0.1",
            &format!("sslmode=require sslcert='{}' sslkey = '{}'", file("cara.pem"), file("cara.key")),
        ),
        // A client certificate for a server that does not need it.
        server.url("127.0.0.1", &format!("sslmode=require&{right}")),
    ];
    for url in &accepted {
        assert_eq!(start(url).await, None, "{url}");
    }

    let refused = [
        // The server's error asks for a certificate, and the node's error says how to set one.
        (String::new(), "sslcert=FILE and sslkey=FILE"),
        (pair("dora.pem", "dora.key"), "common name in sslcert"),
        (pair("forged.pem", "forged.key"), "ssl_ca_file"),
        (pair("dora.pem", "cara.key"), "not the key of sslcert"),
        (pair("cara.pem", "dora.key"), "does not accept sslcert"),
        (pair("cara.pem", "cara-open.key"), "chmod 600"),
        (pair("cara.pem", "cara-locked.key"), "openssl pkey"),
        (pair("cara.pem", "cara-locked-of-old.key"), "openssl pkey"),
        (pair("odd.pem", "odd.key"), "P-256"),
        (pair("cara.pem", "cara.pem"), "chmod 600"),
        (pair("cara.pem", "gone.key"), "gone.key"),
        (pair("cara.pem", "data"), "it is not a file"),
        (pair("gone.pem", "cara.key"), "gone.pem"),
        (pair("cara.key", "cara.key"), "certificate in PEM form"),
        (format!("sslcert={}", file("cara.pem")), "sslkey=FILE"),
        (format!("sslkey={}", file("cara.key")), "sslcert=FILE"),
    ];
    for (parameters, word) in &refused {
        let url = server.url_of_cara("127.0.0.1", &format!("sslmode=require&{parameters}"));
        let said = start(&url).await.unwrap_or_else(|| panic!("{parameters} was accepted"));
        println!("{said}");
        assert!(said.contains(word), "{parameters}: {said}");
        assert!(!said.contains("panicked") && !said.contains("PRIVATE KEY"), "{said}");
    }
}

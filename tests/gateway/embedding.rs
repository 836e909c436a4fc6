//! A program with its own axum server serves the platform's routes next to its own.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use imperal::gateway::{SecretString, Verifier};
use imperal::prelude::*;
use imperal::server::ServerError;
use imperal::{App, Server, User as Identity};
use imperal_tests::Events;
use serde_json::{Value, json};
use tokio::sync::oneshot;

const SECRET: &str = "a secret of this suite, long enough to be one";

imperal::extension! {
    app_id: "embedded",
    name: "Embedded",
    description: "Says what it was asked to say, inside a program of somebody else.",
    icon: "icon.svg",
    capabilities: ["embedded:read"],
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Words {
    text: String,
}

/// Answer with the same words.
#[chat_function(action_type = "read", data_model = Words)]
async fn repeat(_ctx: Context, params: Words) -> Result<ActionResult<Words>> {
    let text = params.text.clone();
    Ok(ActionResult::success(params, text))
}

fn anna() -> Identity {
    Identity::new("anna", "acme")
}

async fn start(folder: &std::path::Path) -> std::result::Result<Server, ServerError> {
    let users = Verifier::by_secret(&SecretString::from(SECRET)).unwrap();
    App::new().server(folder).users(users).start().await
}

/// A program that serves a route of its own, and the platform at `/chat/`.
struct Program {
    server: Server,
    url: String,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Program {
    async fn start(folder: &std::path::Path) -> Self {
        let server = start(folder).await.unwrap();
        let app = Router::new().route("/", get(|| async { "the program's own" })).nest("/chat/", server.router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let platform = server.clone();
        let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = stopped.await;
            platform.stop(Duration::from_secs(1)).await;
        });
        Self { server, url, stop, serving: tokio::spawn(async move { serving.await }) }
    }
}

#[tokio::test]
async fn own_server_nests_the_platform_calls_through_it_and_stops_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path()).await;
    let (http, url) = (reqwest::Client::new(), &program.url);
    let token = Verifier::sign(&SecretString::from(SECRET), &anna(), Duration::from_secs(600)).unwrap();

    assert_eq!(http.get(url).send().await.unwrap().text().await.unwrap(), "the program's own");
    let call = http.post(format!("{url}/chat/v1/extensions/embedded/call")).bearer_auth(&token);
    let call = call.json(&json!({"function": "repeat", "params": {"text": "hello"}}));
    let reply: Value = call.send().await.unwrap().json().await.unwrap();
    assert_eq!(reply["turn"]["text"], "hello", "{reply}");
    let unsigned = http.get(format!("{url}/chat/v1/session")).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);

    let stream = http.get(format!("{url}/chat/v1/events/stream?after=0")).bearer_auth(&token).send().await.unwrap();
    let mut stream = Events::new(stream);
    assert_eq!(stream.next().await.event, "hello");

    program.stop.send(()).unwrap();
    program.serving.await.unwrap().unwrap();
    while stream.try_next().await.is_some() {}
    drop(program.server);

    // The node has left the ledger, and the next process on the folder has the chat.
    let next = start(folder.path()).await.unwrap();
    let turns = next.access(anna()).turns(0, 10).await.unwrap();
    assert_eq!(turns.iter().map(|turn| turn.body.text.as_str()).collect::<Vec<_>>().last(), Some(&"hello"));
    next.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn page_under_a_path_finds_its_files_and_signs_in_by_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path()).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let place = reqwest::Url::parse(&format!("{}/chat/", program.url)).unwrap();

    let page = http.get(place.clone()).send().await.unwrap().text().await.unwrap();
    let names: Vec<_> = page.split("=\"page/").skip(1).filter_map(|rest| rest.split_once('"')).collect();
    assert!(names.len() > 8, "{page}");
    for (name, _) in names {
        let file = http.get(place.join(&format!("page/{name}")).unwrap()).send().await.unwrap();
        assert_eq!(file.status(), 200, "{name}");
    }

    let link = place.join(&program.server.link_path(anna())).unwrap();
    let opened = http.post(link.clone()).send().await.unwrap();
    assert_eq!(opened.status(), 303);
    assert_eq!(link.join(opened.headers()["location"].to_str().unwrap()).unwrap(), place);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session = http.get(place.join("v1/session").unwrap()).header("cookie", cookie);
    let session: Value = session.send().await.unwrap().json().await.unwrap();
    assert_eq!(session["user"]["id"], "anna", "{session}");
    program.server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn second_server_on_a_data_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let refused = start(folder.path()).await.unwrap_err();
    assert!(matches!(refused, ServerError::FolderInUse { .. }), "{refused}");
    first.stop(Duration::ZERO).await;
}

//! The example's behaviour for a user, on a platform in memory and with the example's small service.

mod crashes;
mod packages;
mod runs;

use imperal::testing::{TestPlatform, TestUser};
use imperal::{ErrorKind, WireResult};
use serde_json::{Value, json};

use crate::image_api::ImageApi;
use crate::service;

/// A platform, and the address of the service that it uses.
struct Scene {
    platform: TestPlatform,
    service: String,
}

impl Scene {
    async fn start() -> Self {
        let service = service::start().await.unwrap();
        let api = ImageApi::at(Some(service.clone()));
        let platform = TestPlatform::setup().state(api).real_network().start().await;
        Self { platform, service }
    }

    /// A user with a key.
    async fn connected(&self, name: &str) -> TestUser {
        let user = self.platform.user(name);
        answer(&user, "connect_image_service", json!({"api_key": "a-key-that-works"})).await;
        user
    }

    /// The prompts of the jobs that were paid.
    async fn paid(&self) -> Vec<String> {
        self.jobs("prompt").await
    }

    /// A field of each job.
    async fn jobs(&self, field: &str) -> Vec<String> {
        let answer = get(&self.service, "/v1/creations/recent").await;
        let jobs: Value = serde_json::from_slice(&answer).unwrap();
        jobs["data"].as_array().unwrap().iter().map(|job| job[field].as_str().unwrap().to_owned()).collect()
    }
}

/// The body of the service's answer.
async fn get(service: &str, path: &str) -> Vec<u8> {
    use std::io::{Read, Write};
    let (address, path) = (service.trim_start_matches("http://").to_owned(), path.to_owned());
    let ask = move || -> std::io::Result<Vec<u8>> {
        let mut line = std::net::TcpStream::connect(address)?;
        write!(line, "GET {path} HTTP/1.0\r\nx-api-key: a-test\r\n\r\n")?;
        let mut answer = Vec::new();
        line.read_to_end(&mut answer)?;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        Ok(answer.split_off(head + 4))
    };
    tokio::task::spawn_blocking(ask).await.unwrap().unwrap()
}

/// The result of a call, also of a failed one.
async fn answer(user: &TestUser, function: &str, params: Value) -> WireResult {
    match user.call(function, params).await {
        Ok(reply) => reply.result,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::User, "{error}");
            error.into_wire()
        }
    }
}

/// Plans a package of three images, and returns its id.
async fn brief(user: &TestUser, subject: &str) -> String {
    let params = json!({"site": "bees.example", "article_title": "How bees live", "subject": subject});
    let package = answer(user, "create_media_brief", params).await;
    package.data["package_id"].as_str().unwrap_or_else(|| panic!("{package:?}")).to_owned()
}

async fn package(user: &TestUser, package_id: &str) -> Value {
    answer(user, "get_media_package", json!({"package_id": package_id})).await.data
}

/// Status of each image, in the order of the package.
fn states(package: &Value) -> Vec<&str> {
    package["assets"].as_array().unwrap().iter().map(|asset| asset["status"].as_str().unwrap()).collect()
}

/// The id of each image's file.
fn files(package: &Value) -> Vec<&str> {
    let assets = package["assets"].as_array().unwrap();
    assets.iter().filter_map(|asset| asset["picture"]["file_id"].as_str()).collect()
}

#[test]
fn the_manifest_is_fresh() {
    imperal::assert_manifest_is_fresh!();
}

//! Documents of extensions: what handlers and steps may write, what becomes visible when, and who sees it (P21).
//!
//! Each test gives what its handler, its task or its durable body does to the platform as a state.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod handlers;
mod queries;
#[path = "../support/scripted_work.rs"]
mod scripted_work;
mod sequences;
mod shapes;
mod steps;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use imperal::documents::Collection;
use imperal::prelude::*;
use imperal::testing::TestUser;
use serde_json::json;

use self::scripted_work::*;

imperal::extension! {
    app_id: "documents",
    name: "Documents",
    description: "Keeps the documents that a test gives it.",
    icon: "icon.svg",
    capabilities: ["documents:write"],
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Package {
    name: String,
    status: String,
    price: u32,
}

const PACKAGES: Collection<Package> = Collection::new("packages").index(["status", "price"]).index(["name"]);

fn package(name: &str, status: &str, price: u32) -> Package {
    Package { name: name.to_owned(), status: status.to_owned(), price }
}

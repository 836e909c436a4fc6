//! Measures how fast web pages are with a page-speed service, keeps the history, and says in the
//! chat when a page got slower.
//!
//! `check_site_speed` acknowledges, measures in the background and tries again while the service
//! is busy. `check_whole_site` starts a job at the service and looks after it until it is done.
//! `send_speed_digest` measures the watched pages once a day and delivers a digest. Everything
//! else reads or changes the user's own small store.

mod address;
mod check;
mod digest;
mod history;
mod key;
mod report;
mod service;
mod settings;
mod site;
mod speed_api;
mod store;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

imperal::extension! {
    app_id: "page-speed",
    name: "Page speed",
    description: "Measures how fast web pages are, keeps the history, and says in the chat when a page got slower.",
    icon: "icon.svg",
    capabilities: ["page-speed:read", "page-speed:write"],
}

fn main() -> ExitCode {
    imperal::App::new().state(speed_api::SpeedApi::from_env()).state_in(store::Store::open).run()
}

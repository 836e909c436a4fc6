//! Measures web pages with a page-speed service, stores the history, and posts a message when a page got
//! slower.
//!
//! `check_site_speed` acknowledges, measures in the background and retries while the service is busy.
//! `check_whole_site` starts a job at the service and polls it until its end. `send_speed_digest`
//! measures the watched pages once a day and posts a digest. The other functions read or change the
//! user's store.

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
    secrets: [store::KEY],
}

fn main() -> ExitCode {
    imperal::App::new().state(speed_api::SpeedApi::from_env()).state(store::Clock::of_the_system()).run()
}

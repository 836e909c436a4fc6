//! Audits many domains at once with a web-tools service, and posts one table.
//!
//! `audit_domains` acknowledges and works in the background: three domains at once, five checks
//! each at once. A bad domain or a hung check does not stop the rest. `audit_domain_group` audits a
//! named list, and posts a message when a domain became critical since the last audit.
//! `quick_check` answers at once. The other functions read or change the user's store.

mod audit;
mod check;
mod domain;
mod export;
mod groups;
mod quick;
mod service;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod tools_api;

use std::process::ExitCode;

imperal::extension! {
    app_id: "bulk-audit",
    name: "Bulk domain audit",
    description: "Audits many domains at once, from certificates to blacklists, and sums them up in one table.",
    icon: "icon.svg",
    capabilities: ["bulk-audit:read", "bulk-audit:write"],
}

fn main() -> ExitCode {
    imperal::App::new().state(tools_api::ToolsApi::from_env()).run()
}

//! Audits many domains at once with a web-tools service, and sums them up in one table.
//!
//! `audit_domains` acknowledges and works in the background: three domains at once, five checks
//! each at once, one bad domain or hung check never stops the rest. `audit_domain_group` does the
//! same for a list that has a name, and speaks up when a domain turned critical since its last
//! audit. `quick_check` answers at once. Everything else reads or changes the user's own store.

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
    imperal::App::new().state(tools_api::ToolsApi::from_env()).state_in(store::Store::open).run()
}

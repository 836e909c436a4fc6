//! Campaigns: real nodes that are killed while users work, and a judge of their ledger.

pub mod crash;
pub mod nodes;
pub mod program;

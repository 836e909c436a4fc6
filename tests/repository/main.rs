//! Rules for the files of this repository: links between pages, and what the crate depends on.

mod links;
mod supply_chain;

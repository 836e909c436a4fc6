//! Rules for the files of this repository: links between pages, dependencies, imports, golden
//! files.

mod golden;
mod guarantees;
mod imports;
mod links;
mod sqlite;
mod structure;
mod supply_chain;

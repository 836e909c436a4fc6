//! The library of the suites: what they share, and the campaigns.

pub mod campaigns;
#[cfg(doctest)]
#[path = "repository/pages.rs"]
mod pages;
pub mod support;

pub use support::*;

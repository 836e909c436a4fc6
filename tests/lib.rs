//! The library of the suites: what they share, and the campaigns.

pub mod campaigns;
pub mod support;

pub use support::*;

//! sqlite
#[derive(Debug)]
pub struct SqliteLedger;

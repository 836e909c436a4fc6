//! memory
#[derive(Debug)]
pub struct MemoryLedger;

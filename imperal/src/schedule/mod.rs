//! Times at which something is due: expressions, zones, the next time, and their words.
//!
//! Pure: knows no clock, no ledger and no platform. A time is always computed from another one that is given.
//!
//! | room | what it has |
//! |---|---|
//! | `expression` | cron expressions, and which of them are refused |
//! | `zone` | the bundled zone database and its version |
//! | `timetable` | the next time, missed times, clock changes |
//! | `words` | a timetable for people |

mod error;
mod expression;
#[cfg(test)]
mod tests;
mod timetable;
mod words;
mod zone;

pub use error::InvalidSchedule;
pub use timetable::When;
pub(crate) use timetable::{ClockNote, Timetable, start_of_interval};
pub(crate) use zone::TZ_VERSION;

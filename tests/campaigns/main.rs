//! Nothing is lost and nothing happens twice: the promises while real processes are killed.
//!
//! Two short campaigns. The binaries `crash` and `nodes` run campaigns of any length. `IMPERAL_TEST_SEED`
//! changes the choices; a run prints its seed when it fails.

/// One process on one SQLite file.
mod crash {
    use imperal_tests::campaigns::crash::Campaign;
    use imperal_tests::seed_from_env;

    /// P3 to P8 and P10 hold over forty kills at random and at named moments.
    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_lost_or_repeated_over_forty_kills() {
        let seed = seed_from_env().unwrap_or(2026);
        let campaign = Campaign { binary: env!("CARGO_BIN_EXE_probe").into(), kills: 40, seed, talkative: false };
        let report = campaign.run().await;
        assert!(report.violations() == 0, "{report}");
        assert_eq!(report.kills(), 40);
        println!("{report}");
    }
}

/// Three nodes on one PostgreSQL.
mod postgres {
    use std::time::Duration;

    use imperal_tests::campaigns::nodes::Campaign;
    use imperal_tests::seed_from_env;

    /// P3 to P10 hold over three hundred tasks of thirty users while each of the three nodes is killed,
    /// stopped for longer than its lease, and restarted.
    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_lost_or_repeated_on_three_nodes() {
        let seed = seed_from_env().unwrap_or(2026);
        let binary = env!("CARGO_BIN_EXE_probe").into();
        let campaign =
            Campaign { binary, nodes: 3, users: 30, tasks: 300, calm: Duration::from_secs(3), seed, talkative: false };
        let report = campaign.run().await;
        assert!(report.violations() == 0, "{report}");
        assert_eq!(report.ended(), 300);
        assert!(report.faults() > 0, "no fault happened: {report}");
        println!("{report}");
    }
}

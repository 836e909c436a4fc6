//! `pg_dump` while two nodes work, and another platform on the restored database.

use std::process::Command;

use imperal_tests::cluster::Database;

use crate::crowd::Crowd;
use crate::operations::backup::{Before, run};

#[tokio::test(flavor = "multi_thread")]
async fn dump_under_load_is_complete() {
    let platform = super::two_nodes("dumped").await;
    let [first, second] = &platform.nodes;
    let crowds = [Crowd::start(&first.url), Crowd::start(&second.url)];
    let before = Before::at(first).await;
    crowds[1].go_on(20).await;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("imperal.dump");
    let mut pg_dump = Command::new("pg_dump");
    run(pg_dump.args(["--format=custom", "--schema=imperal", "--file"]).arg(&dump).arg(platform.database.url()));
    crowds[1].go_on(20).await;
    let restored = Database::make("restored").await;
    let mut pg_restore = Command::new("pg_restore");
    run(pg_restore.args(["--clean", "--if-exists", "--dbname", &restored.url()]).arg(&dump));
    // Other nodes on the restored database; the earlier nodes count as dead there once their lease lapses.
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = folders.each_ref().map(|folder| super::on(folder, &restored));
    let (third, fourth) = tokio::join!(options[0].start(), options[1].start());
    for crowd in crowds {
        crowd.end().await;
    }
    before.judge(&fourth, second).await;
    third.terminate().await;
}

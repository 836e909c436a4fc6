//! The ledger's answer to the claim of a scheduled run is lost: the run happens once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use imperal::ledger::Role;
use imperal::platform::NewSchedule;
use imperal::schedules::When;
use imperal::testing::TestPlatform;
use serde_json::json;

use crate::lost_answers::LosesAnswers;

#[tokio::test(start_paused = true)]
async fn scheduled_run_happens_once_although_the_answer_is_lost() {
    for (answers, writes) in [(1, 0), (0, 1), (0, 2)] {
        let ledger = Arc::new(LosesAnswers::default());
        let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
        let anna = platform.user("anna");
        let mut new = NewSchedule::new("Now and then", "promises", "say", When::cron("@yearly"));
        new.params = json!({"later": false}).as_object().cloned().unwrap_or_default();
        let schedules = anna.access().schedules();
        let schedule = schedules.create(new).await.unwrap_or_else(|error| panic!("{error}"));
        ledger.to_lose.store(answers, Ordering::SeqCst);
        ledger.to_forget.store(writes, Ordering::SeqCst);
        schedules.run(schedule.id).await.unwrap_or_else(|error| panic!("{error}"));
        platform.pass(Duration::from_secs(30)).await;
        assert_eq!(ledger.to_lose.load(Ordering::SeqCst) + ledger.to_forget.load(Ordering::SeqCst), 0, "all were lost");
        let turns = anna.access().turns(0, 100).await.unwrap_or_else(|error| panic!("{error}")).rows;
        let asked = turns.iter().filter(|turn| turn.body.role == Role::User && turn.body.schedule.is_some()).count();
        let said = turns.iter().filter(|turn| turn.body.text == "announcement").count();
        assert_eq!((asked, said), (1, 1), "{answers} answers and {writes} writes were lost");
    }
}

//! Events of several users in one statement: each gets its own page.

use futures_util::future::join_all;
use imperal::ids::CallId;
use imperal::ledger::{Event, EventBody, Ledger, LedgerError, NewCall, Owner, PageLimit, PostgresLedger};

use super::{InPostgres, turn};

const USERS: usize = 40;

fn user(number: usize) -> Owner {
    Owner::new("tenant", &format!("user {number}"))
}

/// All events after a number, page by page.
async fn all(ledger: &PostgresLedger, owner: &Owner, mut after: u64, limit: PageLimit) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let page = ledger.events(owner, after, limit).await.unwrap();
        after = page.rows.last().map_or(after, |event| event.seq);
        events.extend(page.rows);
        if !page.more {
            return events;
        }
    }
}

/// Forty users with one to forty calls each, the texts of some far larger than a page that is read with others.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_readers_gets_its_own_events() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    join_all((0..USERS).map(async |number| {
        for count in 0..=number {
            let size = if number % 10 == 9 { 50_000 } else { 10 };
            let said = turn(&format!("{number} says {count} {}", "x".repeat(size)));
            let call = NewCall::new(CallId::generate(), user(number), said);
            ledger.answer_call(&incarnation, call, turn(&format!("to {number}"))).await.unwrap();
        }
    }))
    .await;
    for limit in [PageLimit::rows(7), PageLimit::rows(500), PageLimit::rows(500).bytes(1)] {
        let read = async |number: usize| all(&ledger, &user(number), u64::try_from(number / 2).unwrap(), limit).await;
        let together = join_all((0..USERS).map(read)).await;
        for (number, events) in together.into_iter().enumerate() {
            let last = 2 * (u64::try_from(number).unwrap() + 1);
            let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
            assert_eq!(numbers, (u64::try_from(number / 2).unwrap() + 1..=last).collect::<Vec<_>>(), "user {number}");
            for event in &events {
                let EventBody::Turn(turn) = &event.body else { panic!("{event:?}") };
                let own = [format!("{number} says "), format!("to {number}")];
                assert!(own.iter().any(|own| turn.body.text.starts_with(own)), "user {number} reads {turn:?}");
            }
            assert_eq!(read(number).await, events);
        }
    }
}

/// One whose events were pruned gets its refusal, the others their events.
#[tokio::test(flavor = "multi_thread")]
async fn pruned_reader_takes_nothing_from_the_others() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    for number in 0..USERS {
        let call = NewCall::new(CallId::generate(), user(number), turn("?"));
        ledger.answer_call(&incarnation, call, turn("!")).await.unwrap();
    }
    backend.sql("UPDATE @.owner SET pruned = 1 WHERE user_id = 'user 30'").await;
    let pages =
        join_all((0..USERS).map(async |number| ledger.events(&user(number), 0, PageLimit::rows(10)).await)).await;
    for (number, page) in pages.into_iter().enumerate() {
        match number {
            30 => assert_eq!(page, Err(LedgerError::Pruned(1))),
            _ => assert_eq!(page.unwrap().rows.len(), 2),
        }
    }
}

/// A reader who goes away leaves the others their turn.
#[tokio::test(flavor = "multi_thread")]
async fn readers_who_go_away_stop_nobody() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let call = NewCall::new(CallId::generate(), user(0), turn("?"));
    ledger.answer_call(&incarnation, call, turn("!")).await.unwrap();
    for _ in 0..50 {
        let owner = user(0);
        let mut left: Vec<_> = (0..20).map(|_| Box::pin(ledger.events(&owner, 0, PageLimit::rows(10)))).collect();
        for read in &mut left {
            assert!(futures_util::future::poll_immediate(read).await.is_none_or(|page| page.is_ok()));
        }
        drop(left);
        assert_eq!(ledger.events(&owner, 0, PageLimit::rows(10)).await.unwrap().rows.len(), 2);
    }
}

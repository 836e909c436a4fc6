//! All short sequences of operations on a document in one step: as if each was committed by itself, unless another
//! writer comes between.

use std::sync::OnceLock;

use imperal::documents::{Document, Documents};
use imperal::ledger::TaskState;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Get,
    Put,
    /// With a time of its own.
    PutBriefly,
    Insert,
    Update,
    Patch,
    Delete,
    /// Saves what the last `Get` returned.
    Save,
}

const OPS: [Op; 8] = [Op::Get, Op::Put, Op::PutBriefly, Op::Insert, Op::Update, Op::Patch, Op::Delete, Op::Save];

/// All sequences up to a length.
fn sequences(longest: usize) -> Vec<Vec<Op>> {
    let (mut all, mut last) = (Vec::new(), vec![Vec::new()]);
    for _ in 0..longest {
        last = last.iter().flat_map(|begin| OPS.map(|op| [&begin[..], &[op]].concat())).collect();
        all.extend(last.clone());
    }
    all
}

/// Each sequence with an id, for a document that is there at the beginning (`p`) and for one that is not (`a`).
fn cases(longest: usize) -> Vec<(String, Vec<Op>)> {
    let with_id = |(n, ops): (usize, Vec<Op>)| ["a", "p"].map(|kind| (format!("{kind}{n:05}"), ops.clone()));
    sequences(longest).into_iter().enumerate().flat_map(with_id).collect()
}

async fn run(
    packages: &Documents<Package>,
    briefly: &Documents<Package>,
    id: &str,
    (n, op): (u32, Op),
    read: &mut Option<Document<Package>>,
) -> String {
    let new = || package(&format!("{op:?}"), "new", n);
    let done = match op {
        Op::Get => packages.get(id).await.map(|found| {
            *read = found;
            read.as_ref().map_or_else(|| "none".to_owned(), |found| format!("{:?}", found.value))
        }),
        Op::Put => packages.put(id, &new()).await.map(|()| String::new()),
        Op::PutBriefly => briefly.put(id, &new()).await.map(|()| String::new()),
        Op::Insert => packages.insert(id, &new()).await.map(|()| String::new()),
        Op::Update => packages.update(id, |one| one.name.push('u')).await.map(|one| format!("{one:?}")),
        Op::Patch => packages.patch(id, json!({"status": format!("patched {n}")})).await.map(|()| String::new()),
        Op::Delete => packages.delete(id).await.map(|existed| existed.to_string()),
        Op::Save => match &mut *read {
            None => Ok("nothing to save".to_owned()),
            Some(read) => {
                read.value.price += 100;
                packages.save(read).await.map(|()| String::new())
            }
        },
    };
    done.unwrap_or_else(|error| error.code().to_string())
}

async fn run_all(ctx: &Context, cases: &[(String, Vec<Op>)]) -> Vec<(String, Vec<String>)> {
    let packages = ctx.documents(&PACKAGES);
    let briefly = ctx.documents(&PACKAGES).expires_in(Duration::from_secs(3600));
    let mut all = Vec::new();
    for (id, ops) in cases {
        let (mut said, mut read) = (Vec::new(), None);
        for (n, op) in (0..).zip(ops) {
            said.push(run(&packages, &briefly, id, (n, *op), &mut read).await);
        }
        all.push((id.clone(), said));
    }
    all
}

type Said = Arc<Mutex<Vec<(String, Vec<String>)>>>;

async fn fill(user: &TestUser, cases: &[(String, Vec<Op>)]) {
    for (id, _) in cases.iter().filter(|(id, _)| id.starts_with('p')) {
        user.documents(&PACKAGES).put(id, &package("first", "old", 1000)).await;
    }
}

async fn stored(user: &TestUser) -> Vec<(String, Package, bool)> {
    let all = user.documents(&PACKAGES).all().await;
    all.into_iter().map(|one| (one.id, one.value, one.expires_at.is_some())).collect()
}

#[imperal::test]
async fn a_step_does_what_its_operations_do_one_by_one() {
    let all = Arc::new(cases(4));
    let (one_by_one, in_steps) = (Said::default(), Said::default());
    let (cases, said) = (all.clone(), one_by_one.clone());
    let setup = handler(move |ctx| {
        let (cases, said) = (cases.clone(), said.clone());
        async move {
            let done = run_all(&ctx, &cases).await;
            *said.lock().unwrap() = done;
            Ok(ActionResult::done("done"))
        }
    });
    let platform = setup.start().await;
    let anna = platform.user("anna");
    fill(&anna, &all).await;
    assert_eq!(anna.call("handle", json!({})).await.unwrap().turn.body.text, "done");
    let (cases, said) = (all.clone(), in_steps.clone());
    let (_platform, ben, _log) = task(move |ctx, _| {
        let (cases, said) = (cases.clone(), said.clone());
        async move {
            for (n, some) in cases.chunks(256).enumerate() {
                let said = &said;
                let step = async |ctx: Context| {
                    let done = run_all(&ctx, some).await;
                    said.lock().unwrap().extend(done);
                    Ok(())
                };
                ctx.step(format!("step {n}"), step).await?;
            }
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    fill(&ben, &all).await;
    ben.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    let said = |of: &Said| std::mem::take(&mut *of.lock().unwrap());
    let (one_by_one, in_steps) = (said(&one_by_one), said(&in_steps));
    assert_eq!((one_by_one.len(), in_steps.len()), (all.len(), all.len()));
    for ((one, other), (_, ops)) in one_by_one.iter().zip(&in_steps).zip(&*all) {
        assert_eq!(one, other, "{ops:?}");
    }
    let (one_by_one, in_steps) = (stored(&anna).await, stored(&ben).await);
    let ops_of: BTreeMap<_, _> = all.iter().cloned().collect();
    for (one, other) in one_by_one.iter().zip(&in_steps) {
        assert_eq!(one, other, "{:?}", ops_of[&one.0]);
    }
    assert_eq!(one_by_one.len(), in_steps.len());
}

/// What a sequence makes of a document in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Nothing,
    Put,
    Patch,
    Delete,
}

/// The step's own change, and whether it expects what it read. `said` are the answers, which tell what was refused.
fn predict(ops: &[Op], said: &[String]) -> (Own, bool) {
    let (mut own, mut has_seen, mut expects) = (Own::Nothing, false, false);
    for (op, said) in ops.iter().zip(said) {
        let is_refused = said.chars().all(|one| one.is_ascii_uppercase() || one == '_') && !said.is_empty();
        let shows_stored = matches!(own, Own::Nothing | Own::Patch);
        has_seen |= shows_stored && matches!(op, Op::Get | Op::Update);
        match op {
            Op::Get => {}
            _ if is_refused || said == "false" || said == "nothing to save" => {}
            Op::Delete => own = Own::Delete,
            Op::Patch if own == Own::Put => {}
            Op::Patch => own = Own::Patch,
            Op::Put | Op::PutBriefly | Op::Insert | Op::Update | Op::Save => {
                expects |= has_seen || (*op == Op::Insert && own == Own::Nothing);
                own = Own::Put;
            }
        }
    }
    (own, expects && own != Own::Nothing)
}

/// The commit expects the version that the step read first, if it wrote after it; else the step has the last word, and a
/// patch is merged.
#[imperal::test]
async fn a_step_expects_what_it_read_before_it_wrote() {
    let all = Arc::new(cases(3));
    let (user, wrong) = (Arc::new(OnceLock::<TestUser>::new()), Arc::new(Mutex::new(Vec::new())));
    let (cases, writer, faults) = (all.clone(), user.clone(), wrong.clone());
    let (_platform, anna, _log) = task(move |ctx, _| {
        let (cases, writer, faults) = (cases.clone(), writer.clone(), faults.clone());
        async move {
            let (anna, said) = (writer.get().unwrap(), Mutex::new(Vec::new()));
            let documents = anna.documents(&PACKAGES);
            for (id, ops) in &*cases {
                let one = [(id.clone(), ops.clone())];
                let step = async |ctx: Context| {
                    *said.lock().unwrap() = run_all(&ctx, &one).await.remove(0).1;
                    documents.put(id, &package("another", "writer", 5)).await;
                    Ok(())
                };
                let failed = ctx.step(id.clone(), step).await.err().map(|error| error.code().clone());
                let (own, expects) = predict(ops, &said.lock().unwrap());
                let found = documents.get(id).await.map(|found| found.value);
                let is_others = found.as_ref().is_some_and(|found| found.name == "another");
                let fits = match (own, expects) {
                    (_, true) => is_others && failed == Some(codes::DOCUMENT_CONFLICT),
                    (Own::Nothing, _) => is_others && failed.is_none(),
                    (Own::Put, _) => failed.is_none() && found.is_some() && !is_others,
                    (Own::Patch, _) => failed.is_none() && is_others && found.unwrap().status.starts_with("patched"),
                    (Own::Delete, _) => failed.is_none() && found.is_none(),
                };
                if !fits {
                    faults.lock().unwrap().push(format!("{id} {ops:?}: {own:?} {expects}, failed with {failed:?}"));
                }
            }
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    assert!(user.set(anna.clone()).is_ok());
    fill(&anna, &all).await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    let wrong = wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), all.len(), &wrong[..wrong.len().min(20)]);
}

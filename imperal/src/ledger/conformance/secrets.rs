//! Secrets: compared by version, each user's own, fenced like every write of work.

use super::Backend;
use super::scene::{Node, all_of, anna, ben, new_audit, ok};
use crate::ledger::{
    Attempt, Fence, Incarnation, LedgerError, NewSecret, Owner, SealedSecret, SecretPlace, SecretWrite, StoredSecret,
    Work,
};

fn place(owner: &Owner, name: &str) -> SecretPlace {
    SecretPlace::of_user(owner, "app", name)
}

fn sealed(key_id: &str, value: &[u8]) -> SealedSecret {
    SealedSecret::new(key_id, b"a salt of 16 b..", b"nonce", value)
}

fn new(place: SecretPlace, version: u64, value: &[u8]) -> NewSecret {
    NewSecret::new(place, version, sealed("k1", value), Some("user:anna".to_owned()))
}

/// A write of a person, with its audit row.
fn by_person(owner: &Owner) -> SecretWrite {
    SecretWrite::new(None, Some(new_audit(owner, "secret.set")))
}

impl Node {
    async fn set(&self, owner: &Owner, name: &str, version: u64, value: &[u8]) -> bool {
        ok(self.ledger.put_secret(by_person(owner), new(place(owner, name), version, value)).await)
    }

    async fn secret(&self, owner: &Owner, name: &str) -> Option<StoredSecret> {
        ok(self.ledger.find_secret(&place(owner, name)).await)
    }

    fn fence_of(&self, work: Work) -> Fence {
        Fence { incarnation: self.incarnation.clone(), work }
    }
}

/// Bytes of every kind come back, with the time and the person.
pub async fn stored_secret_comes_back_as_it_was(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let value: Vec<u8> = (0..=255).collect();
    let owner = Owner::new("te\0nant", "änna");
    let secret = NewSecret::new(place(&owner, "key"), 1, sealed("k1", &value), Some("user:änna\0".to_owned()));
    assert!(ok(node.ledger.put_secret(by_person(&owner), secret).await));
    let stored = ok(node.ledger.find_secret(&place(&owner, "key")).await);
    let stored = stored.unwrap_or_else(|| panic!("the secret is stored"));
    assert_eq!((&stored.place, stored.version, &stored.sealed), (&place(&owner, "key"), 1, &sealed("k1", &value)));
    assert_eq!(stored.set_by, "user:änna\0");
    assert!(stored.set_at > "2020-01-01T00:00:00Z".parse().unwrap_or(jiff::Timestamp::MAX));
    assert_eq!(node.look(&owner).await.audit.len(), 1);
    assert_eq!(node.look(&owner).await.head, 0, "a secret makes no event");
}

/// A write that knows an older version changes nothing, and leaves no audit row.
pub async fn version_decides_between_writers(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert!(!node.set(&anna(), "key", 2, b"no version 1").await);
    assert!(node.set(&anna(), "key", 1, b"one").await);
    assert!(!node.set(&anna(), "key", 1, b"again").await);
    assert!(node.set(&anna(), "key", 2, b"two").await);
    assert!(!node.set(&anna(), "key", 2, b"late").await);
    let stored = node.secret(&anna(), "key").await;
    assert_eq!(stored.map(|stored| (stored.version, stored.sealed.ciphertext)), Some((2, b"two".to_vec())));
    assert_eq!(node.look(&anna()).await.audit.len(), 2);
}

/// Of writers on several nodes one wins each version.
pub async fn racing_writers_have_one_winner(backend: &impl Backend) {
    let mut racers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let node = Node::start(backend, name).await;
        racers.push(tokio::spawn(async move { node.set(&anna(), "key", 1, name.as_bytes()).await }));
    }
    let winners = all_of(racers).await;
    assert_eq!(winners.into_iter().filter(|won| *won).count(), 1);
    let node = Node::start(backend, "e").await;
    assert_eq!(node.look(&anna()).await.audit.len(), 1);
}

/// Sealing a value again keeps its time and its person.
pub async fn value_that_is_sealed_again_keeps_who_set_it(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert!(node.set(&anna(), "key", 1, b"value").await);
    let before = node.secret(&anna(), "key").await;
    let again = NewSecret::new(place(&anna(), "key"), 2, sealed("k2", b"value under k2"), None);
    assert!(ok(node.ledger.put_secret(SecretWrite::default(), again).await));
    let after = node.secret(&anna(), "key").await;
    let what = |stored: Option<StoredSecret>| stored.map(|stored| (stored.set_at, stored.set_by));
    assert_eq!(after.as_ref().map(|stored| (stored.version, stored.sealed.key_id.as_str())), Some((2, "k2")));
    assert_eq!(what(after), what(before));
    assert_eq!(node.look(&anna()).await.audit.len(), 1);
}

/// Tenant, user, extension and name all count; those of an extension are nobody's.
pub async fn secrets_of_others_are_not_found(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert!(node.set(&anna(), "key", 1, b"of anna").await);
    let shared = SecretPlace::of_app("app", "key");
    assert!(ok(node.ledger.put_secret(by_person(&anna()), new(shared.clone(), 1, b"of the app")).await));
    let others = [
        place(&ben(), "key"),
        place(&Owner::new("other", "anna"), "key"),
        SecretPlace::of_user(&anna(), "another", "key"),
        place(&anna(), "Key"),
    ];
    for other in others {
        assert_eq!(ok(node.ledger.find_secret(&other).await), None, "{other:?}");
        assert!(!ok(node.ledger.remove_secret(by_person(&ben()), other).await));
    }
    let of = async |owner: &Owner| ok(node.ledger.secrets_of(owner).await).into_iter().map(|stored| stored.place);
    assert_eq!(of(&anna()).await.collect::<Vec<_>>(), [place(&anna(), "key")]);
    assert_eq!(of(&ben()).await.count(), 0);
    assert_eq!(of(&Owner::new("", "")).await.collect::<Vec<_>>(), [shared]);
}

/// Once; a second removal finds nothing, and writes no audit row.
pub async fn removed_secret_is_gone(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert!(node.set(&anna(), "key", 1, b"value").await);
    assert!(ok(node.ledger.remove_secret(by_person(&anna()), place(&anna(), "key")).await));
    assert_eq!(node.secret(&anna(), "key").await, None);
    assert!(!ok(node.ledger.remove_secret(by_person(&anna()), place(&anna(), "key")).await));
    assert_eq!(node.look(&anna()).await.audit.len(), 2);
    assert!(node.set(&anna(), "key", 1, b"a new one").await);
}

/// Work writes secrets of its own user, while its node holds it and until it has ended.
pub async fn work_writes_only_its_users_secrets_until_it_ends(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = Work::Call(node.call(&anna()).await);
    let task_id = node.detached(&anna()).await;
    let task = Work::Task(Attempt::first(task_id));
    let put = async |incarnation: &Incarnation, work: Work, owner: &Owner, name: &str| {
        let fence = Fence { incarnation: incarnation.clone(), work };
        node.ledger.put_secret(SecretWrite::new(Some(fence), None), new(place(owner, name), 1, b"v")).await
    };
    assert_eq!(put(&node.incarnation, call, &anna(), "of_call").await, Ok(true));
    assert_eq!(put(&node.incarnation, task, &anna(), "of_task").await, Ok(true));
    for work in [call, task] {
        assert_eq!(put(&node.incarnation, work, &ben(), "stolen").await, Err(LedgerError::NotFound));
        let gone = Incarnation::new("n", node.incarnation.number - 1);
        assert_eq!(put(&gone, work, &anna(), "late").await, Err(LedgerError::Fenced));
        let other = Node::start(backend, "other").await;
        assert_eq!(put(&other.incarnation, work, &anna(), "other").await, Err(LedgerError::NotHolder));
        let write = SecretWrite::new(Some(other.fence_of(work)), None);
        let removed = node.ledger.remove_secret(write, place(&anna(), "of_call")).await;
        assert_eq!(removed, Err(LedgerError::NotHolder));
    }
    let Work::Call(call_id) = call else { return };
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(put(&node.incarnation, call, &anna(), "after").await, Err(LedgerError::AlreadyReplied));
    assert_eq!(put(&node.incarnation, task, &anna(), "after").await, Err(LedgerError::AlreadyEnded));
    assert_eq!(ok(node.ledger.secrets_of(&anna()).await).len(), 2);
    assert_eq!(ok(node.ledger.secrets_of(&ben()).await).len(), 0);
}

/// In pages, over all owners, in the order of places.
pub async fn secrets_under_other_keys_are_listed_in_pages(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut wanted = Vec::new();
    for owner in [anna(), ben(), Owner::new("Tenant", "Zoe"), Owner::new("tenant", "Ben")] {
        for name in ["b", "a"] {
            assert!(node.set(&owner, name, 1, b"value").await);
            wanted.push(place(&owner, name));
        }
    }
    let current = NewSecret::new(place(&anna(), "b"), 2, sealed("k2", b"value"), None);
    assert!(ok(node.ledger.put_secret(SecretWrite::default(), current).await));
    wanted.retain(|wanted| *wanted != place(&anna(), "b"));
    wanted.sort();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = ok(node.ledger.secrets_under_other_keys("k2", after.clone(), 3).await);
        let Some(last) = page.last() else { break };
        after = Some(last.place.clone());
        found.extend(page.into_iter().map(|stored| stored.place));
    }
    assert_eq!(found, wanted);
}

/// The first writer of a name decides, on whichever node.
pub async fn fact_keeps_its_first_value(backend: &impl Backend) {
    let mut racers = Vec::new();
    for name in ["a", "b", "c"] {
        let node = Node::start(backend, name).await;
        racers.push(tokio::spawn(async move { ok(node.ledger.note_fact("key:k1", name.as_bytes()).await) }));
    }
    let answers = all_of(racers).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let node = Node::start(backend, "d").await;
    assert_eq!(ok(node.ledger.note_fact("other", b"\0\xff").await), b"\0\xff");
    assert_eq!(ok(node.ledger.note_fact("key:k1", b"late").await), answers[0]);
}

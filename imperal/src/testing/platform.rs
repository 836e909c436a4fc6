//! The platform of a test, over crashes of its process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::http::{Network, ScriptedHttp};
use super::watch::Watch;
use super::{TestSetup, TestUser, transcript};
use crate::context::{HttpPool, States};
use crate::function::Registry;
use crate::ledger::{Ledger, Owner};
use crate::platform::{Platform, Settings};

/// A platform in memory that serves the functions of this test binary.
///
/// Outgoing calls are answered by the rules of [`http`](Self::http) and leave the process only with
/// [`TestSetup::real_network`]. It panics when it is dropped after a call that no rule answered.
/// Where a test fails, the chats of its users are printed as transcripts when it is dropped.
///
/// ```
/// # use imperal::prelude::*;
/// # imperal::extension! { app_id: "greeter", name: "Greeter", description: "Greets whoever asks, politely and at once.", icon: "icon.svg", capabilities: ["greeter:read"] }
/// #[derive(Deserialize, JsonSchema)]
/// struct Who {
///     name: String,
/// }
/// #[derive(Serialize, JsonSchema)]
/// struct Greeting {
///     text: String,
/// }
///
/// /// Greet somebody by their name.
/// #[chat_function(action_type = "read")]
/// async fn greet(_ctx: Context, who: Who) -> Result<ActionResult<Greeting>> {
///     let text = format!("Hello, {}.", who.name);
///     Ok(ActionResult::success(Greeting { text: text.clone() }, text))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let platform = imperal::testing::TestPlatform::start().await;
/// let reply = platform.user("anna").call("greet", serde_json::json!({"name": "Anna"})).await?;
/// assert_eq!(reply.turn.body.text, "Hello, Anna.");
/// # Ok::<(), imperal::Error>(()) }).unwrap();
/// ```
pub struct TestPlatform(Arc<Shared>);

/// What outlives a crash of the process.
pub(super) struct Kept {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) states: Arc<States>,
    pub(super) settings: Settings,
}

/// What a platform and its users share.
pub(super) struct Shared {
    kept: Kept,
    http: ScriptedHttp,
    pool: HttpPool,
    watch: Arc<Watch>,
    current: RwLock<Platform>,
    /// Whose chats a failing test prints.
    users: Mutex<Vec<Owner>>,
}

impl Shared {
    pub(super) fn platform(&self) -> Platform {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The chat as a failing assertion shows it.
    pub(super) async fn transcript(&self, owner: &Owner) -> String {
        transcript::of(&*self.kept.ledger, owner).await
    }
}

impl TestPlatform {
    /// A platform with default settings, no state, and no network.
    ///
    /// # Panics
    /// As [`TestSetup::start`].
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// For state, settings, the real network, or another platform's ledger.
    pub fn setup() -> TestSetup {
        TestSetup::default()
    }

    pub(super) async fn start_with(kept: Kept, network: Network) -> Self {
        let pool = HttpPool::new().unwrap_or_else(|error| panic!("{error}"));
        let http = ScriptedHttp::new(network, &pool);
        let pool = pool.over(http.transport());
        let watch = Arc::new(Watch::default());
        let current = begin(&kept, &pool, &watch).await;
        watch.follow(&current);
        Self(Arc::new(Shared { kept, http, pool, watch, current: RwLock::new(current), users: Mutex::default() }))
    }

    /// The platform itself, as it runs now.
    pub fn platform(&self) -> Platform {
        self.0.platform()
    }

    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        self.0.kept.ledger.clone()
    }

    /// A user of the default tenant.
    pub fn user(&self, id: &str) -> TestUser {
        self.user_of("default", id)
    }

    /// A user of another tenant.
    pub fn user_of(&self, tenant_id: &str, id: &str) -> TestUser {
        let user = crate::User::new(id, tenant_id);
        let owner = Owner::from(&user);
        let mut users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.contains(&owner) {
            users.push(owner);
        }
        TestUser::new(self.0.clone(), user)
    }

    /// The rules that answer outgoing calls, and the calls there were.
    ///
    /// # Panics
    /// When the platform was started on the real network.
    #[track_caller]
    pub fn http(&self) -> &ScriptedHttp {
        assert!(!self.0.http.is_real(), "this platform's calls go to the network: leave out `.real_network()`");
        &self.0.http
    }

    /// Lets so much time pass: everything that is due meanwhile happens, in its order.
    ///
    /// On the paused clock of `#[imperal::test]` this takes no time; on a real one it takes all of it.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Kills the process, as `kill -9` does, and starts it again on the same ledger.
    ///
    /// What was at work is gone: its futures are dropped, it writes nothing more, and nothing that
    /// was registered with `on_cancel` runs. When this returns, recovery has ended it: calls with an
    /// "interrupted" reply, tasks `reclaimed`. Users, rules and registered state go on.
    ///
    /// # Panics
    /// When it cannot be started again.
    pub async fn crash(&self) {
        self.platform().die();
        // Whatever was between two awaits comes to its end.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        let again = begin(&self.0.kept, &self.0.pool, &self.0.watch).await;
        self.0.watch.follow(&again);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = again;
    }
}

async fn begin(kept: &Kept, pool: &HttpPool, watch: &Arc<Watch>) -> Platform {
    let registry = Registry::collect().unwrap_or_else(|error| panic!("{error}"));
    let listener = Some(watch.clone() as _);
    Platform::start_with(
        registry,
        kept.ledger.clone(),
        kept.states.clone(),
        kept.settings.clone(),
        pool.clone(),
        listener,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}"))
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if failing {
            let users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for owner in users {
                if let Some(text) = transcript::at_once(&*self.0.kept.ledger, &owner) {
                    eprintln!("{text}");
                }
            }
        }
        self.0.watch.let_go();
        self.0.http.finish(failing);
    }
}

impl fmt::Debug for TestPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestPlatform").field("platform", &self.platform()).finish_non_exhaustive()
    }
}

//! The platform of a test, across crashes of its process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::http::{Network, ScriptedHttp};
use super::model::ScriptedModel;
use super::state::{DataFolder, StateSetup};
use super::transcript::{self, Printed};
use super::watch::Watch;
use super::{TestSetup, TestUser};
use crate::context::HttpPool;
use crate::files::Blobs;
use crate::function::Registry;
use crate::ledger::{Ledger, Owner};
use crate::platform::{Platform, Settings};

/// A platform in memory that serves the functions of this test binary.
///
/// The rules of [`http`](Self::http) answer outgoing calls; only
/// [`TestSetup::real_network`] lets them leave the process. The platform panics when it is dropped
/// after a call that no rule answered, or after a fault in a durable task's body that an interruption
/// would show ([`take_warnings`](Self::take_warnings)). When a test fails, the drop prints the chat of each user,
/// unless the failed assertion has printed it.
///
/// ```
/// # use imperal::prelude::*;
/// # imperal::extension! { app_id: "greeter", name: "Greeter", description: "Greets each person by name, politely and at once.", icon: "icon.svg", capabilities: ["greeter:read"] }
/// #[derive(Deserialize, JsonSchema)]
/// struct GreetParams {
///     name: String,
/// }
/// #[derive(Serialize, JsonSchema)]
/// struct Greeting {
///     text: String,
/// }
///
/// /// Greets a person by name.
/// #[chat_function(action_type = "read")]
/// async fn greet(_ctx: Context, params: GreetParams) -> Result<ActionResult<Greeting>> {
///     let text = format!("Hello, {}.", params.name);
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

/// The parts that survive a crash of the process.
pub(super) struct Kept {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) state: StateSetup,
    pub(super) folder: DataFolder,
    pub(super) settings: Settings,
}

/// Shared by a platform and its users.
pub(super) struct Shared {
    http: ScriptedHttp,
    /// The assistant's model, if one is configured.
    model: Option<ScriptedModel>,
    pool: HttpPool,
    watch: Arc<Watch>,
    /// `None` while [`TestPlatform::crash`] restarts the process.
    current: RwLock<Option<Platform>>,
    /// The users whose chats a failing test prints.
    users: Mutex<Vec<(Owner, Printed)>>,
    kept: Kept,
}

impl Shared {
    #[track_caller]
    pub(super) fn platform(&self) -> Platform {
        match &*self.current.read().unwrap_or_else(PoisonError::into_inner) {
            Some(platform) => platform.clone(),
            None => panic!("the platform has crashed: await `crash()` before you use it"),
        }
    }

    fn replace(&self, platform: Option<Platform>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = platform;
    }

    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        self.kept.ledger.clone()
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The chat as a failing assertion shows it.
    pub(super) async fn transcript(&self, owner: &Owner) -> String {
        transcript::of(&*self.kept.ledger, owner).await
    }

    /// See [`TestPlatform::crash`].
    pub(super) async fn crash(&self) {
        self.platform().die();
        // The dead process lets go of its state before the next one opens it.
        self.watch.let_go();
        self.replace(None);
        // The tasks of the runtime notice that they were aborted.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        self.begin().await;
    }

    async fn begin(&self) {
        let registry = Registry::collect().unwrap_or_else(|error| panic!("{error}"));
        let platform = Platform::start_with(
            registry,
            self.kept.ledger.clone(),
            self.kept.state.states(&self.kept.folder),
            self.kept.settings.clone(),
            self.pool.clone(),
            Some(self.watch.clone() as _),
        )
        .await
        .unwrap_or_else(|error| panic!("{error}"));
        self.watch.follow(&platform);
        self.replace(Some(platform));
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
        let model = (kept.settings.assistant.is_some() && !http.is_real()).then(|| ScriptedModel::serve(&http));
        let (watch, current, users) = (Arc::default(), RwLock::default(), Mutex::default());
        let shared = Shared { http, model, pool, watch, current, users, kept };
        shared.begin().await;
        Self(Arc::new(shared))
    }

    /// The platform as it runs now.
    ///
    /// # Panics
    /// While [`crash`](Self::crash) restarts it.
    #[track_caller]
    pub fn platform(&self) -> Platform {
        self.0.platform()
    }

    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        self.0.kept.ledger.clone()
    }

    pub(super) fn blobs(&self) -> Option<Blobs> {
        self.0.kept.settings.blobs.clone()
    }

    /// The faults in the bodies of durable tasks that an interruption would show, so far: requests and starts outside
    /// of steps, messages that differ between attempts, paths of local files in stored values. `docs/durable.md` lists
    /// them. The platform panics with them when it is dropped, except for those that this has returned.
    pub fn take_warnings(&self) -> Vec<String> {
        self.0.watch.take_warnings()
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
        let known = users.iter().find(|(known, _)| *known == owner).map(|(_, printed)| printed.clone());
        let printed = known.unwrap_or_else(|| {
            let printed = Printed::default();
            users.push((owner, printed.clone()));
            printed
        });
        TestUser::new(self.0.clone(), user, printed)
    }

    /// The rules that answer outgoing calls, and the calls that were sent.
    ///
    /// # Panics
    /// When the platform was started on the real network.
    #[track_caller]
    pub fn http(&self) -> &ScriptedHttp {
        assert!(!self.0.http.is_real(), "this platform's calls go to the network: leave out `.real_network()`");
        &self.0.http
    }

    /// The scripted language model of the assistant.
    ///
    /// ```no_run
    /// # use imperal::testing::TestPlatform;
    /// # async fn talk(platform: &TestPlatform) {
    /// platform.model().calls("refine_output", serde_json::json!({"text": "it is done ."})).says("Refined.");
    /// platform.user("anna").talk("Refine: it is done .").await.assert_says("Refined.");
    /// # }
    /// ```
    ///
    /// # Panics
    /// When the platform was started without [`TestSetup::model`].
    #[track_caller]
    pub fn model(&self) -> &ScriptedModel {
        match &self.0.model {
            Some(model) => model,
            None => panic!("this platform has no model: start it with `TestPlatform::setup().model()`"),
        }
    }

    /// Lets time pass. Everything that is due in it happens, in order.
    ///
    /// On the paused clock of `#[imperal::test]` this returns at once; on a real clock it takes the
    /// whole time.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Kills the process, as `kill -9` does, and starts it again on the same ledger.
    ///
    /// The work is lost: its futures are dropped, it writes nothing more, and no `on_cancel` cleanup
    /// runs. When this returns, recovery has ended calls with an "interrupted" reply and background tasks as
    /// `reclaimed`. Durable tasks go on by themselves: their stored steps do not run again.
    ///
    /// Users and HTTP rules go on. State is made again with [`state_with`](TestSetup::state_with) and
    /// [`state_in`](TestSetup::state_in), and the same with [`state`](TestSetup::state).
    ///
    /// # Panics
    /// When the platform cannot start again.
    pub async fn crash(&self) {
        self.0.crash().await;
    }
}

impl TestPlatform {
    /// Replaces the process as a deploy does: stops it with the grace period of `serve` (10 s), and starts it
    /// again on the same ledger.
    ///
    /// Durable tasks are handed over as soon as nothing of theirs is in flight, and go on in the new process.
    /// Other work may end within the grace period; what does not is interrupted.
    ///
    /// # Panics
    /// When the platform cannot start again.
    pub async fn deploy(&self) {
        self.platform().shutdown(Duration::from_secs(10)).await;
        self.0.watch.let_go();
        self.0.replace(None);
        self.0.begin().await;
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if failing {
            let users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (owner, _) in users.iter().filter(|(_, printed)| !printed.is_set()) {
                if let Some(text) = transcript::at_once(&*self.0.kept.ledger, owner) {
                    eprintln!("{text}");
                }
            }
        }
        self.0.watch.let_go();
        let faults: Vec<String> = self.0.watch.take_warnings().into_iter().chain(self.0.http.finish()).collect();
        if faults.is_empty() {
            return;
        }
        if failing {
            eprintln!("{}", faults.join("\n"));
        } else {
            panic!("{}", faults.join("\n"));
        }
    }
}

impl fmt::Debug for TestPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestPlatform").field("http", &self.0.http).finish_non_exhaustive()
    }
}

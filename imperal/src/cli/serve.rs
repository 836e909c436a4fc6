//! `dev` and `serve`: the platform until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::args::{DevArgs, ServeArgs};
use super::exit::{CliError, Exit};
use super::folder::{DataFolder, Opened};
use super::out::{self, Look, Paint};
use super::supervised;
use crate::app::App;
use crate::context::User;
use crate::function::Registry;
use crate::gateway::{
    AllowedHosts, Auth, Bound, ConnectionLimits, LOCAL_TENANT, LOCAL_USER, LocalKey, Server, UserLimits, Verifier,
};
#[cfg(feature = "postgres")]
use crate::ledger::PostgresLedger;
use crate::ledger::{Ledger, SqliteLedger};
use crate::platform::{Platform, Settings};

/// Where `dev` listens when nothing else does.
const DEV_PORT: u16 = 7717;

pub(super) async fn dev(mut app: App, registry: Registry, args: DevArgs) -> Result<Exit, CliError> {
    args.settings.apply(&mut app.settings);
    args.keep.apply(&mut app.settings);
    checked(&app.settings, &ConnectionLimits::default())?;
    let folder = own(&args.folder.data_dir)?;
    let grace = app.settings.shutdown_grace;
    let names: Vec<_> = registry.extensions().map(|e| format!("{} {}", e.def().name, e.def().version)).collect();
    let platform = Platform::start(registry, file(&folder)?, app.states_in(folder.path())?, app.settings).await?;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // One person, on their own machine: no limit of requests and streams.
    let hosts = AllowedHosts::only(args.allowed_hosts);
    let configure = |server: Server| server.hosts(hosts.clone());
    let listen = args.listen.unwrap_or(local(DEV_PORT));
    let bound = match bind(&platform, &folder, listen, configure, Ok).await {
        // Somebody else's port is no reason not to start, unless it was asked for.
        Err(_) if args.listen.is_none() => bind(&platform, &folder, local(0), configure, Ok).await?,
        bound => bound?,
    };
    bound.reopen(folder.take_links(), &local_user());
    let link = bound.link(local_user());
    // Before the link is printed: a signal that comes right after it is heard too.
    let told = told_to_stop()?;
    if args.supervised {
        supervised::announce(&format!("http://{}", bound.address()), &link);
        tokio::select! {
            () = told => {}
            () = supervised::until_input_ends() => {}
        }
    } else {
        let look = Look::of_stdout();
        out::say(&format!("{}, data in {}", look.paint(Paint::Bold, &names.join(", ")), folder.path().display()));
        out::say(&format!("open {}", look.paint(Paint::Cyan, &link)));
        told.await;
        out::remark("stopping; running work may finish");
    }
    // A link that nobody has opened yet opens the next process too.
    folder.keep_links(&bound.open_links(&local_user()));
    bound.stop(grace).await;
    Ok(Exit::Done)
}

pub(super) async fn serve(mut app: App, registry: Registry, args: ServeArgs) -> Result<Exit, CliError> {
    args.settings.apply(&mut app.settings);
    args.keep.apply(&mut app.settings);
    app.settings.stored_per_user_and_day = args.limits.stored();
    checked(&app.settings, &ConnectionLimits::from(&args.connections))?;
    let grace = app.settings.shutdown_grace;
    let users = verifier(&args)?;
    let (limits, connections) = (UserLimits::from(&args.limits), ConnectionLimits::from(&args.connections));
    let service_tenant = args.service_tenant;
    let service_token = env_text("IMPERAL_SERVICE_TOKEN")?;
    let folder = own(&args.folder.data_dir)?;
    let ledger = match &args.database_url {
        None => file(&folder)?,
        Some(url) => database(url, args.database_pool, args.node, &folder, &mut app.settings).await?,
    };
    let platform = Platform::start(registry, ledger, app.states_in(folder.path())?, app.settings).await?;
    let hosts = match args.allowed_hosts {
        none if none.is_empty() => AllowedHosts::any(),
        named => AllowedHosts::only(named),
    };
    let configure =
        |server: Server| server.limits(limits).connections(connections).hosts(hosts).service_tenant(service_tenant);
    let bound = bind(&platform, &folder, args.listen, configure, |auth| {
        let auth = auth.with_users(users);
        match service_token {
            Some(token) => Ok(auth.with_service_token(SecretString::from(token))?),
            None => Ok(auth),
        }
    })
    .await?;
    // Before anybody can know that it runs: whoever stops it at once is heard too.
    let told = told_to_stop()?;
    println!("listening on http://{}", bound.address());
    told.await;
    eprintln!("stopping; running work may finish");
    bound.stop(grace).await;
    Ok(Exit::Done)
}

/// A token as whoever signs users in would make it, for trying `serve`.
pub(super) fn token(user: String, tenant: String, scopes: Vec<String>, hours: u32) -> Result<Exit, CliError> {
    let Some(secret) = env_text("IMPERAL_JWT_SECRET")? else {
        return Err(CliError::new("set IMPERAL_JWT_SECRET to the secret that `serve` has"));
    };
    if user == LOCAL_USER && tenant == LOCAL_TENANT {
        return Err(CliError::new(format!(
            "`{LOCAL_USER}` in tenant `{LOCAL_TENANT}` is a machine's own user, and `serve` refuses tokens that name it: choose another user or --tenant"
        )));
    }
    let mut user = User::new(user, tenant);
    user.scopes = scopes;
    out::say(&Verifier::sign(&SecretString::from(secret), &user, Duration::from_secs(u64::from(hours) * 3600))?);
    Ok(Exit::Done)
}

/// A variable's text; `None` when it is unset or empty.
pub(super) fn env_text(name: &str) -> Result<Option<String>, CliError> {
    let Some(text) = std::env::var_os(name) else { return Ok(None) };
    let text =
        text.into_string().map_err(|_| CliError::new(format!("{name} is not UTF-8; set it again or unset it")))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Settings are refused before a folder or a database is touched.
fn checked(settings: &Settings, connections: &ConnectionLimits) -> Result<(), CliError> {
    let mut faults = settings.faults();
    faults.extend(connections.faults());
    if faults.is_empty() { Ok(()) } else { Err(CliError::new(faults.join("\n"))) }
}

/// The platform of a folder for one command, on a port of its own.
pub(super) async fn for_a_while(mut app: App, registry: Registry, folder: &DataFolder) -> Result<Bound, CliError> {
    let platform = Platform::start(registry, file(folder)?, app.states_in(folder.path())?, app.settings).await?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let configure = |server: Server| server.hosts(AllowedHosts::only(Vec::new()));
    bind(&platform, folder, listen, configure, Ok).await
}

pub(super) fn local_user() -> User {
    let mut user = User::new(LOCAL_USER, LOCAL_TENANT);
    user.scopes = vec!["audit:read:all".to_owned()];
    user
}

fn own(path: &Path) -> Result<DataFolder, CliError> {
    match DataFolder::open(path)? {
        Opened::Ours(folder) => {
            folder.warn_if_open();
            Ok(folder)
        }
        Opened::Taken => {
            let who = DataFolder::listening(path)
                .map_or_else(|| "another process".to_owned(), |l| format!("process {} at {}", l.pid, l.url));
            Err(CliError::new(format!(
                "{who} has the data folder {} open: stop it, or give this one its own with --data-dir",
                path.display()
            )))
        }
    }
}

fn file(folder: &DataFolder) -> Result<Arc<dyn Ledger>, CliError> {
    let ledger = SqliteLedger::open(folder.ledger())
        .map_err(|error| CliError::new(format!("{}: {error}", folder.ledger().display())))?;
    Ok(Arc::new(ledger))
}

/// A cancel that is asked of another node arrives with the renewal, at the latest, and a dead node's
/// work is ended with the look after its lease: both come often.
#[cfg(feature = "postgres")]
async fn database(
    url: &str,
    pool: Option<u16>,
    node: Option<String>,
    folder: &DataFolder,
    settings: &mut Settings,
) -> Result<Arc<dyn Ledger>, CliError> {
    settings.node = match node {
        Some(node) => node,
        None => own_name(folder)?,
    };
    settings.renew_every = settings.renew_every.min(Duration::from_millis(500)).min(settings.lease / 10);
    let connections = pool.map_or(PostgresLedger::CONNECTIONS, usize::from);
    let connecting = PostgresLedger::connect_in(url, "imperal", connections);
    let ledger = connecting.await.map_err(|error| CliError::new(error.to_string()))?;
    Ok(Arc::new(ledger))
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "as where there is one")]
async fn database(
    _: &str,
    _: Option<u16>,
    _: Option<String>,
    _: &DataFolder,
    _: &mut Settings,
) -> Result<Arc<dyn Ledger>, CliError> {
    Err(CliError::new(
        "this build has no PostgreSQL ledger: leave out --database-url, or build with imperal's feature `postgres`",
    ))
}

/// One process at a time has the folder, so no other on this machine has the name.
#[cfg(feature = "postgres")]
fn own_name(folder: &DataFolder) -> Result<String, CliError> {
    let said =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    let named = |name| env_text(name).ok().flatten();
    let host = said.or_else(|| named("HOSTNAME")).or_else(|| named("COMPUTERNAME"));
    let Some(host) = host.filter(|host| !host.trim().is_empty()) else {
        return Err(CliError::new("this machine does not say its name: give this node one of its own with --node"));
    };
    Ok(format!("{}:{}", host.trim(), folder.path().canonicalize()?.display()))
}

async fn bind(
    platform: &Platform,
    folder: &DataFolder,
    listen: SocketAddr,
    configure: impl FnOnce(Server) -> Server,
    auth: impl FnOnce(Auth) -> Result<Auth, CliError>,
) -> Result<Bound, CliError> {
    let auth = auth(Auth::local(LocalKey::of_folder(folder.path())?))?;
    let server = configure(Server::new(platform.clone(), auth));
    let bound = server.bind(listen).await.map_err(|error| {
        CliError::new(format!("cannot listen on {listen}: {error}; `--listen 127.0.0.1:0` takes a free port"))
    })?;
    folder.announce(&format!("http://{}", bound.address()))?;
    Ok(bound)
}

fn verifier(args: &ServeArgs) -> Result<Verifier, CliError> {
    let secret = env_text("IMPERAL_JWT_SECRET")?;
    let verifier = match (secret, &args.jwks) {
        (Some(_), Some(_)) => {
            return Err(CliError::new(
                "both IMPERAL_JWT_SECRET and a JWKS are given: users' tokens have one kind of key",
            ));
        }
        (Some(secret), None) => Verifier::by_secret(&SecretString::from(secret))?,
        (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => Verifier::by_jwks_url(url)?,
        (None, Some(path)) => Verifier::by_jwks_file(Path::new(path))?,
        (None, None) => {
            return Err(CliError::new(
                "serve needs a key to check users' tokens: set IMPERAL_JWT_SECRET (HS256, 32 bytes or more) or give --jwks FILE|URL (RS256, ES256, EdDSA). On your own machine, `dev` needs none",
            ));
        }
    };
    if args.jwks.is_some() {
        // An issuer signs tokens for many; by its keys alone each of them would be a token for here.
        for (given, option, claim) in [(&args.audience, "--audience", "aud"), (&args.issuer, "--issuer", "iss")] {
            if given.is_none() {
                tracing::warn!(
                    "the JWKS is used without {option}: a token that its issuer signed for somebody else is taken too. Give {option} what your tokens have as `{claim}`"
                );
            }
        }
    }
    Ok(verifier.audience(args.audience.clone()).issuer(args.issuer.clone()))
}

pub(super) async fn until_told_to_stop() -> Result<(), CliError> {
    told_to_stop()?.await;
    Ok(())
}

/// From here on a signal is waited for, and no longer ends the process where it is.
fn told_to_stop() -> Result<impl Future<Output = ()>, CliError> {
    #[cfg(unix)]
    let (mut terminate, mut interrupt) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    #[cfg(windows)]
    let (mut terminate, mut interrupt) = (tokio::signal::windows::ctrl_break()?, tokio::signal::windows::ctrl_c()?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

//! `dev` and `serve`: the platform until a signal stops it.
//!
//! Owns what differs between the two: who may sign in, where the ledger is, what is printed. Starting a
//! platform on a folder is `embedded.rs`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use secrecy::SecretString;

use super::embedded::{bind, local_user};
use super::environment::env_text;
use super::exit::{CliError, Exit};
use super::folder::{DataFolder, FolderLock};
use super::ledger_choice::{connect_database, open_file_ledger};
use super::out::{self, OutputStyle, Paint};
use super::server_args::{DevArgs, ServeArgs};
use super::signals::stop_signal;
use super::supervised;
use crate::app::App;
use crate::function::Registry;
use crate::gateway::{AllowedHosts, ConnectionLimits, Server, UserLimits, Verifier};
use crate::platform::{Platform, Settings};

/// The port of `dev`, if it is free.
const DEV_PORT: u16 = 7717;

pub(super) async fn dev(mut app: App, registry: Registry, args: DevArgs) -> Result<Exit, CliError> {
    args.settings.apply(&mut app.settings);
    args.keep.apply(&mut app.settings);
    check_settings(&app.settings, &ConnectionLimits::default())?;
    let folder = lock_folder(&args.folder.data_dir)?;
    let grace = app.settings.shutdown_grace;
    let names: Vec<_> = registry.extensions().map(|e| format!("{} {}", e.def().name, e.def().version)).collect();
    let ledger = open_file_ledger(&folder)?;
    let platform = Platform::start(registry, ledger, app.states_in(folder.path())?, app.settings).await?;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // One person on their own machine: requests and streams are not limited.
    let hosts = AllowedHosts::only(args.allowed_hosts);
    let configure = |server: Server| server.hosts(hosts.clone());
    let listen = args.listen.unwrap_or(local(DEV_PORT));
    let bound = match bind(&platform, &folder, listen, configure, Ok).await {
        // The default port may be taken; an address that was asked for must work.
        Err(_) if args.listen.is_none() => bind(&platform, &folder, local(0), configure, Ok).await?,
        bound => bound?,
    };
    bound.reopen(folder.take_links(), &local_user());
    let link = bound.link(local_user());
    // Registered before the link is printed: a signal right after it stops the platform cleanly.
    let stop = stop_signal()?;
    if args.supervised {
        supervised::announce(&format!("http://{}", bound.address()), &link);
        tokio::select! {
            () = stop => {}
            () = supervised::until_input_ends() => {}
        }
    } else {
        let style = OutputStyle::of_stdout();
        let names = style.paint(Paint::Bold, &names.join(", "));
        out::print_line(&format!("{names}, data in {}", folder.path().display()));
        out::print_line(&format!("open {}", style.paint(Paint::Cyan, &link)));
        stop.await;
        out::print_note("stopping; running work may finish");
    }
    // The next process on this folder accepts links that were not opened yet.
    folder.keep_links(&bound.open_links(&local_user()));
    bound.stop(grace).await;
    Ok(Exit::Success)
}

pub(super) async fn serve(mut app: App, registry: Registry, args: ServeArgs) -> Result<Exit, CliError> {
    args.settings.apply(&mut app.settings);
    args.keep.apply(&mut app.settings);
    app.settings.stored_per_user_and_day = args.limits.stored();
    check_settings(&app.settings, &ConnectionLimits::from(&args.connections))?;
    let grace = app.settings.shutdown_grace;
    let users = user_verifier(&args)?;
    let (limits, connections) = (UserLimits::from(&args.limits), ConnectionLimits::from(&args.connections));
    let service_tenant = args.service_tenant;
    let service_token = env_text("IMPERAL_SERVICE_TOKEN")?;
    let folder = lock_folder(&args.folder.data_dir)?;
    let ledger = match &args.database_url {
        None => open_file_ledger(&folder)?,
        Some(url) => connect_database(url, args.database_pool, args.node, &folder, &mut app.settings).await?,
    };
    let platform = Platform::start(registry, ledger, app.states_in(folder.path())?, app.settings).await?;
    let hosts =
        if args.allowed_hosts.is_empty() { AllowedHosts::any() } else { AllowedHosts::only(args.allowed_hosts) };
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
    // Registered before the address is printed: a signal right after it stops the platform cleanly.
    let stop = stop_signal()?;
    println!("listening on http://{}", bound.address());
    stop.await;
    eprintln!("stopping; running work may finish");
    bound.stop(grace).await;
    Ok(Exit::Success)
}

/// Refuses wrong settings before a folder or a database is touched.
fn check_settings(settings: &Settings, connections: &ConnectionLimits) -> Result<(), CliError> {
    let mut faults = settings.faults();
    faults.extend(connections.faults());
    if faults.is_empty() { Ok(()) } else { Err(CliError::new(faults.join("\n"))) }
}

/// Opens the data folder for this process, or names the process that holds it.
fn lock_folder(path: &Path) -> Result<DataFolder, CliError> {
    match DataFolder::open(path)? {
        FolderLock::Acquired(folder) => {
            folder.warn_if_open();
            Ok(folder)
        }
        FolderLock::HeldElsewhere => {
            let holder = DataFolder::listening(path)
                .map_or_else(|| "another process".to_owned(), |node| format!("process {} at {}", node.pid, node.url));
            Err(CliError::new(format!(
                "{holder} has the data folder {} open: stop it, or give this one its own with --data-dir",
                path.display()
            )))
        }
    }
}

/// The keys that users' tokens are checked with.
fn user_verifier(args: &ServeArgs) -> Result<Verifier, CliError> {
    let secret = env_text("IMPERAL_JWT_SECRET")?;
    let verifier = match (secret, &args.jwks) {
        (Some(_), Some(_)) => {
            return Err(CliError::new("IMPERAL_JWT_SECRET and --jwks are both given; give only one of them"));
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
        // An identity provider signs tokens for many services. Its keys alone would let all of them in.
        for (given, option, claim) in [(&args.audience, "--audience", "aud"), (&args.issuer, "--issuer", "iss")] {
            if given.is_none() {
                tracing::warn!(
                    "the JWKS is used without {option}: tokens that its issuer signed for other services are accepted too. Set {option} to the claim `{claim}` of your tokens"
                );
            }
        }
    }
    Ok(verifier.audience(args.audience.clone()).issuer(args.issuer.clone()))
}

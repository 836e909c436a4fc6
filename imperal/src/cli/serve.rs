//! `dev` and `serve`: the platform until a signal stops it.
//!
//! Owns what differs between the two: who may sign in, where the ledger is, what is printed. Starting a
//! platform is `server`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::browser::LinkFile;
use super::environment::env_text;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::server_args::{DevArgs, ServeArgs};
use super::signals::StopSignals;
use super::stopping::{self, StopReason};
use super::{browser, core_dumps, program_name, schedules, secret_keys, supervised};
use crate::app::App;
use crate::function::Registry;
use crate::gateway::{AllowedHosts, ConnectionLimits, UserLimits, Verifier};
use crate::platform::Settings;
use crate::server::{ServerError, local_user};

/// The port of `dev`, if it is free.
/// How long after its supervisor a signal may come that both got from one key.
const SAME_KEY: Duration = Duration::from_millis(100);
const DEV_PORT: u16 = 7717;

pub(super) async fn dev(mut app: App, registry: Registry, args: DevArgs) -> Result<Exit, CliError> {
    args.settings.apply(&mut app.settings);
    #[cfg(feature = "mcp")]
    args.mcp.apply(&mut app.mcp);
    args.settings.model.apply(&mut app.settings)?;
    args.keep.apply(&mut app.settings);
    let grace = app.settings.shutdown_grace;
    let names: Vec<_> = registry.extensions().map(|e| format!("{} {}", e.def().name, e.def().version)).collect();
    // One person on their own machine: requests and streams are not limited.
    let builder = app.server(&args.folder.data_dir).registry(registry).hosts(AllowedHosts::only(args.allowed_hosts));
    let builder = secret_keys::for_developer(builder)?;
    let server = match builder.start().await {
        Err(error @ ServerError::FolderInUse { holder: Some(_), .. }) => {
            let hint = format!("`{} link` prints a link to its page", program_name::command_line());
            return Err(CliError::from(error).hint(hint));
        }
        started => started?,
    };
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let limits = ConnectionLimits::default();
    let listening = match server.listen(args.listen.unwrap_or(local(DEV_PORT)), limits).await {
        // The default port may be taken; an address that was asked for must work.
        Err(_) if args.listen.is_none() => server.listen(local(0), limits).await?,
        listening => listening?,
    };
    server.reopen_links(server.folder().take_links(), &local_user());
    let link = listening.link(local_user());
    // Registered before the link is printed: a signal right after it stops the platform cleanly.
    let mut signals = StopSignals::listen()?;
    let mut link_file = None;
    let mut reason = StopReason::Signal;
    if args.supervised {
        supervised::announce(&format!("http://{}", listening.address()), &link);
        if args.open && !args.no_open && browser::has_desktop() {
            link_file = open_in_browser(server.folder().path(), &link);
        }
        tokio::select! {
            biased;
            () = signals.next() => {}
            // A Ctrl-C reaches the supervisor as well, which may be the faster one.
            () = supervised::until_input_ends() => if tokio::time::timeout(SAME_KEY, signals.next()).await.is_err() {
                reason = StopReason::Supervisor;
            },
        }
    } else {
        let style = OutputStyle::of_stdout();
        let names = style.paint(Paint::Bold, &names.join(", "));
        out::print_line(&format!("{names}, data in {}", server.folder().path().display()));
        out::print_line(&format!("open {}", style.paint(Paint::Cyan, &link)));
        if let Some(line) = schedules::summary(&server.access(local_user())).await {
            out::print_line(&style.sanitize_line(&line));
        }
        if style.terminal && !args.no_open && browser::has_desktop() {
            link_file = open_in_browser(server.folder().path(), &link);
        }
        signals.next().await;
    }
    drop(link_file);
    // The next process on this folder accepts links that were not opened yet.
    server.folder().keep_links(&server.unopened_links(&local_user()));
    stopping::stop(listening, grace, &mut signals, reason).await;
    Ok(Exit::Success)
}

/// Opens the link in a browser. If that fails, the printed link is left.
fn open_in_browser(folder: &Path, link: &str) -> Option<LinkFile> {
    let opened = LinkFile::write(folder, link).and_then(|file| file.open().map(|()| file));
    match opened {
        Ok(file) => {
            out::print_note("opening it in your browser; --no-open turns this off");
            Some(file)
        }
        Err(error) => {
            tracing::debug!(%error, "no browser was opened");
            None
        }
    }
}

pub(super) async fn serve(mut app: App, registry: Registry, args: ServeArgs) -> Result<Exit, CliError> {
    core_dumps::turn_off();
    args.settings.apply(&mut app.settings);
    #[cfg(feature = "mcp")]
    args.mcp.apply(&mut app.mcp);
    #[cfg(feature = "mcp")]
    if let (Some(issuer), Some(audience)) = (&args.auth_issuer, &args.audience) {
        let issuer = crate::mcp::AuthIssuer::new(issuer, audience).map_err(|error| CliError::new(error.to_string()))?;
        app.mcp.auth_issuer = Some(issuer);
    }
    args.settings.model.apply(&mut app.settings)?;
    args.keep.apply(&mut app.settings);
    app.settings.stored_per_user_and_day = args.limits.stored();
    let connections = ConnectionLimits::from(&args.connections);
    check_settings(&app.settings, &connections)?;
    let grace = app.settings.shutdown_grace;
    let users = user_verifier(&args)?;
    let service_token = env_text("IMPERAL_SERVICE_TOKEN")?;
    let hosts =
        if args.allowed_hosts.is_empty() { AllowedHosts::any() } else { AllowedHosts::only(args.allowed_hosts) };
    if let (Some(_), Some(node)) = (&args.database_url, args.node) {
        app.settings.node = node;
    }
    if let Some(version) = args.program_version {
        app.settings.program = version;
    }
    let mut builder = app.server(&args.folder.data_dir).registry(registry).users(users).hosts(hosts);
    builder = builder.limits(UserLimits::from(&args.limits)).service_tenant(args.service_tenant);
    if let Some(token) = service_token {
        builder = builder.service_token(token);
    }
    if let Some(url) = args.database_url {
        builder = builder.database(url, args.database_pool);
    }
    builder = secret_keys::for_serve(builder)?;
    let listening = builder.start().await?.listen(args.listen, connections).await?;
    // Registered before the address is printed: a signal right after it stops the platform cleanly.
    let mut signals = StopSignals::listen()?;
    println!("listening on http://{}", listening.address());
    signals.next().await;
    stopping::stop(listening, grace, &mut signals, StopReason::Signal).await;
    Ok(Exit::Success)
}

/// Refuses wrong settings before a folder or a database is touched.
fn check_settings(settings: &Settings, connections: &ConnectionLimits) -> Result<(), CliError> {
    let mut faults = settings.faults();
    faults.extend(connections.faults());
    if faults.is_empty() { Ok(()) } else { Err(CliError::new(faults.join("\n"))) }
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

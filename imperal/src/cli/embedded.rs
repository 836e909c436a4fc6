//! A platform inside the process of a command: on a data folder, with a gateway on an address.
//!
//! `dev` and `serve` run one until they are told to stop. A command that finds no running platform starts
//! one for its own duration.

use std::net::{Ipv4Addr, SocketAddr};

use super::exit::CliError;
use super::folder::DataFolder;
use super::ledger_choice::open_file_ledger;
use crate::app::App;
use crate::context::User;
use crate::function::Registry;
use crate::gateway::{AllowedHosts, Auth, Bound, LOCAL_TENANT, LOCAL_USER, LocalKey, Server};
use crate::platform::Platform;

/// Starts the platform of a folder for one command, on a free port of the loopback address.
pub(super) async fn start_embedded(mut app: App, registry: Registry, folder: &DataFolder) -> Result<Bound, CliError> {
    let ledger = open_file_ledger(folder)?;
    let platform = Platform::start(registry, ledger, app.states_in(folder.path())?, app.settings).await?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let configure = |server: Server| server.hosts(AllowedHosts::only(Vec::new()));
    bind(&platform, folder, listen, configure, Ok).await
}

/// Binds a gateway and writes its address into the folder, for other processes.
pub(super) async fn bind(
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

/// The person at this machine. May read all audit rows.
pub(super) fn local_user() -> User {
    let mut user = User::new(LOCAL_USER, LOCAL_TENANT);
    user.scopes = vec!["audit:read:all".to_owned()];
    user
}

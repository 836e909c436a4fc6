//! Connection options that the commands share: data folder, remote URL, JSON output.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs, Clone)]
pub(super) struct FolderArg {
    /// Folder of the ledger and the session key
    #[arg(long, env = "IMPERAL_DATA_DIR", value_name = "DIR", default_value = ".imperal")]
    pub(super) data_dir: PathBuf,
}

/// How a command finds the platform, and whether it prints JSON.
#[derive(Debug, ClapArgs, Clone)]
pub(super) struct ConnectArgs {
    #[command(flatten)]
    pub(super) folder: FolderArg,
    /// URL of a remote platform; your token for it is `IMPERAL_TOKEN`. Default: the platform of the data folder
    #[arg(long, env = "IMPERAL_URL", value_name = "URL")]
    pub(super) url: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub(super) json: bool,
}

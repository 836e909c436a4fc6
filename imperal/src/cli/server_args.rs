//! Options of `dev` and `serve`.
//!
//! Owns how times, ages and limits are typed, and how they change the platform's settings. Defaults are
//! the platform's and the gateway's; an option that is not given changes nothing.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::connect_args::FolderArg;
use super::model_args::ModelArgs;
use crate::gateway::{ConnectionLimits, LOCAL_TENANT, UserLimits};
#[cfg(feature = "mcp")]
use crate::mcp::{Destructive, McpSettings};
use crate::platform::Settings;

#[derive(Debug, ClapArgs)]
pub(super) struct DevArgs {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:7717, or a free port]
    #[arg(long, env = "IMPERAL_LISTEN", value_name = "ADDR")]
    pub(super) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) folder: FolderArg,
    /// Host name to answer to besides this machine's own, `name` or `name:port`; may be repeated
    #[arg(long = "allowed-host", env = "IMPERAL_ALLOWED_HOSTS", value_name = "HOST", value_delimiter = ',')]
    pub(super) allowed_hosts: Vec<String>,
    /// Do not open the page in the browser
    #[arg(long, env = "IMPERAL_NO_OPEN", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) no_open: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[cfg(feature = "mcp")]
    #[command(flatten)]
    pub(super) mcp: McpServerArgs,
    /// With --supervised: the supervisor has a terminal, so the browser may be opened
    #[arg(long, hide = true, requires = "supervised")]
    pub(super) open: bool,
    /// Started by `cargo imperal dev`: announces the address, and stops when standard input ends
    #[arg(long, hide = true)]
    pub(super) supervised: bool,
    #[command(flatten)]
    pub(super) keep: KeepArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "IMPERAL_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    #[command(flatten)]
    pub(super) folder: FolderArg,
    /// PostgreSQL to use instead of the data folder's file; put a password into the environment. With
    /// TLS: `?sslmode=verify-full&sslrootcert=FILE`
    #[arg(long, env = "IMPERAL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(super) database_url: Option<String>,
    /// Connections to PostgreSQL for calls; the node uses two more itself [default: 16]
    #[arg(long, env = "IMPERAL_DATABASE_POOL", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) database_pool: Option<u16>,
    /// This node's name in PostgreSQL: unique, and the same after a restart [default: host and data folder]
    #[arg(long, env = "IMPERAL_NODE", value_name = "NAME")]
    pub(super) node: Option<String>,
    /// This program's version for durable tasks: a task that one version cannot continue waits for another. Nodes
    /// of one build need the same [default: made of the executable's size and time]
    #[arg(long, env = "IMPERAL_PROGRAM", value_name = "TEXT")]
    pub(super) program_version: Option<String>,
    /// Keys that sign users' tokens: a JWKS file or URL. For a shared secret set `IMPERAL_JWT_SECRET`
    #[arg(long, env = "IMPERAL_JWKS", value_name = "FILE|URL")]
    pub(super) jwks: Option<String>,
    /// Audience that users' tokens must name
    #[arg(long, env = "IMPERAL_JWT_AUDIENCE", value_name = "TEXT")]
    pub(super) audience: Option<String>,
    /// Issuer that users' tokens must name
    #[arg(long, env = "IMPERAL_JWT_ISSUER", value_name = "TEXT")]
    pub(super) issuer: Option<String>,
    /// Host name to answer to, `name` or `name:port`; may be repeated [default: every name]
    #[arg(long = "allowed-host", env = "IMPERAL_ALLOWED_HOSTS", value_name = "HOST", value_delimiter = ',')]
    pub(super) allowed_hosts: Vec<String>,
    /// Tenant of a service's messages without the header `X-Tenant-Id`
    #[arg(long, env = "IMPERAL_SERVICE_TENANT", value_name = "NAME", default_value = LOCAL_TENANT, value_parser = tenant)]
    pub(super) service_tenant: String,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[cfg(feature = "mcp")]
    #[command(flatten)]
    pub(super) mcp: McpServerArgs,
    /// Issuer at which MCP clients get tokens by themselves. It needs --audience: the URL of `/mcp` as clients reach it,
    /// which tokens must name
    #[cfg(feature = "mcp")]
    #[arg(long, env = "IMPERAL_AUTH_ISSUER", value_name = "URL", requires = "audience")]
    pub(super) auth_issuer: Option<String>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) connections: ConnectionArgs,
    #[command(flatten)]
    pub(super) keep: KeepArgs,
}

/// Times and limits; seconds may have a fraction.
#[derive(Debug, ClapArgs)]
pub(super) struct SettingsArgs {
    /// Longest silence of a background task, in seconds [default: 300]
    #[arg(long, env = "IMPERAL_LIVENESS", value_name = "SECONDS", value_parser = seconds)]
    liveness: Option<Duration>,
    /// Time from a cancel to dropping the work, in seconds [default: 10]
    #[arg(long, env = "IMPERAL_CANCEL_GRACE", value_name = "SECONDS", value_parser = seconds)]
    cancel_grace: Option<Duration>,
    /// The node's lease, in seconds; renewed after a third of it, on PostgreSQL every half second or more often [default: 15]
    #[arg(long, env = "IMPERAL_LEASE", value_name = "SECONDS", value_parser = seconds)]
    lease: Option<Duration>,
    /// How long running work may go on when the platform stops, in seconds [default: 10]
    #[arg(long, env = "IMPERAL_SHUTDOWN_GRACE", value_name = "SECONDS", value_parser = seconds)]
    shutdown_grace: Option<Duration>,
    /// How long a durable task waits for a version of the program that can continue it, such as 12h or 3d, before it
    /// ends [default: 24h]
    #[arg(long, env = "IMPERAL_STUCK_FOR", value_name = "AGE", value_parser = age)]
    stuck_for: Option<Duration>,
    /// Running tasks per user [default: 100]
    #[arg(long, env = "IMPERAL_TASKS_PER_USER", value_name = "N")]
    tasks_per_user: Option<u32>,
    /// Calls at work per user on this node; 0 for no limit [default: 50]
    #[arg(long, env = "IMPERAL_CALLS_PER_USER", value_name = "N")]
    calls_per_user: Option<u32>,
    /// Documents of a user in one extension [default: 100000]
    #[arg(long, env = "IMPERAL_DOCUMENTS_PER_USER", value_name = "N")]
    documents_per_user: Option<u64>,
    /// Bytes of a user's documents in one extension: ids and JSON [default: 268435456]
    #[arg(long = "document-bytes", env = "IMPERAL_DOCUMENT_BYTES", value_name = "BYTES")]
    document_bytes_per_user: Option<u64>,
    /// Where a task's traces are looked up, with `{task}` in place of its id; timelines link to it
    #[arg(long, env = "IMPERAL_TRACE_URL", value_name = "URL")]
    trace_url: Option<String>,
    /// Where the bytes of files are: `file:///folder`, or `s3://bucket/prefix` in a build with S3 [default: `files` in
    /// the data folder; none with a database]
    #[arg(long, env = "IMPERAL_FILES_URL", value_name = "URL")]
    files_url: Option<String>,
    /// Bytes of a file [default: 104857600]
    #[arg(long, env = "IMPERAL_FILE_BYTES", value_name = "BYTES")]
    file_bytes: Option<u64>,
    /// Files of a user in one extension [default: 10000]
    #[arg(long, env = "IMPERAL_FILES_PER_USER", value_name = "N")]
    files_per_user: Option<u64>,
    /// Bytes of a user's files in one extension [default: 1073741824]
    #[arg(long, env = "IMPERAL_FILE_BYTES_PER_USER", value_name = "BYTES")]
    file_bytes_per_user: Option<u64>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}

/// How MCP clients are served.
#[cfg(feature = "mcp")]
#[derive(Debug, ClapArgs)]
pub(super) struct McpServerArgs {
    /// How long an MCP client waits for work before it gets a ticket, in seconds, up to 3600 [default: 45]
    #[arg(long = "mcp-wait", env = "IMPERAL_MCP_WAIT", value_name = "SECONDS", value_parser = seconds)]
    mcp_wait: Option<Duration>,
    /// Destructive functions for MCP clients: `confirm` (the user runs them on the page) or `allow` [default: confirm]
    #[arg(long = "mcp-destructive", env = "IMPERAL_MCP_DESTRUCTIVE", value_name = "HOW", value_parser = destructive, hide_possible_values = true)]
    mcp_destructive: Option<Destructive>,
}

#[cfg(feature = "mcp")]
impl McpServerArgs {
    pub(super) fn apply(&self, settings: &mut McpSettings) {
        settings.wait = self.mcp_wait.unwrap_or(settings.wait);
        settings.destructive = self.mcp_destructive.unwrap_or(settings.destructive);
    }
}

#[cfg(feature = "mcp")]
fn destructive(text: &str) -> Result<Destructive, String> {
    match text {
        "confirm" => Ok(Destructive::Confirm),
        "allow" => Ok(Destructive::Allow),
        _ => Err("use confirm or allow".to_owned()),
    }
}

/// Limits per signed-in user on this node.
#[derive(Debug, ClapArgs)]
pub(super) struct LimitArgs {
    /// Requests per second and user in the long run; 0 for no limit
    #[arg(long, env = "IMPERAL_REQUESTS_PER_SECOND", value_name = "N", default_value_t = 100)]
    requests_per_second: u32,
    /// Requests that a user may make at once after a quiet time
    #[arg(long, env = "IMPERAL_REQUEST_BURST", value_name = "N", default_value_t = 500)]
    request_burst: u32,
    /// Open live streams per user; 0 for no limit
    #[arg(long, env = "IMPERAL_STREAMS_PER_USER", value_name = "N", default_value_t = 100)]
    streams_per_user: u32,
    /// MiB of turns that a user may add per day (UTC); 0 for no limit
    #[arg(long, env = "IMPERAL_STORED_PER_USER_AND_DAY", value_name = "MIB", default_value_t = 256)]
    stored_per_user_and_day: u32,
}

impl LimitArgs {
    /// Bytes of turns per user and day.
    pub(super) fn stored(&self) -> u64 {
        u64::from(self.stored_per_user_and_day) << 20
    }
}

impl From<&LimitArgs> for UserLimits {
    fn from(args: &LimitArgs) -> Self {
        Self {
            requests_per_second: args.requests_per_second,
            request_burst: args.request_burst,
            streams: args.streams_per_user,
        }
    }
}

/// Limits of the node's connections.
#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionArgs {
    /// Open connections [default: four fifths of the process's file limit, at most 10000]
    #[arg(long, env = "IMPERAL_CONNECTIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// How long the head of a request may take to arrive, in seconds [default: 10]
    #[arg(long, env = "IMPERAL_HEADER_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    header_timeout: Option<Duration>,
    /// How long a connection may wait for its next request, in seconds [default: 75]
    #[arg(long, env = "IMPERAL_IDLE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    idle_timeout: Option<Duration>,
    /// How long a client may read nothing of its answer, in seconds [default: 60]
    #[arg(long, env = "IMPERAL_WRITE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    write_timeout: Option<Duration>,
}

impl From<&ConnectionArgs> for ConnectionLimits {
    fn from(args: &ConnectionArgs) -> Self {
        let usual = Self::default();
        Self {
            connections: args.connections.and_then(|count| usize::try_from(count).ok()),
            header_timeout: args.header_timeout.unwrap_or(usual.header_timeout),
            idle_timeout: args.idle_timeout.unwrap_or(usual.idle_timeout),
            write_timeout: args.write_timeout.unwrap_or(usual.write_timeout),
        }
    }
}

/// How long rows are kept. Rows that unfinished work needs are kept at any age.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Retention (such as 90d; default: all)")]
pub(super) struct KeepArgs {
    /// How long turns are kept, with their calls and results: a number with s, m, h, d or w
    #[arg(long = "keep-turns", env = "IMPERAL_KEEP_TURNS", value_name = "AGE", value_parser = age)]
    turns: Option<Duration>,
    /// How long tasks are kept after their end
    #[arg(long = "keep-tasks", env = "IMPERAL_KEEP_TASKS", value_name = "AGE", value_parser = age)]
    tasks: Option<Duration>,
    /// How far back a stream can resume; not further than turns and tasks are kept
    #[arg(long = "keep-events", env = "IMPERAL_KEEP_EVENTS", value_name = "AGE", value_parser = age)]
    events: Option<Duration>,
    /// How long audit rows are kept; `audit --verify` checks those that are left
    #[arg(long = "keep-audit", env = "IMPERAL_KEEP_AUDIT", value_name = "AGE", value_parser = age)]
    audit: Option<Duration>,
}

impl KeepArgs {
    pub(super) fn apply(&self, settings: &mut Settings) {
        let keep = &mut settings.keep;
        for (given, kept) in [
            (self.turns, &mut keep.turns),
            (self.tasks, &mut keep.tasks),
            (self.events, &mut keep.events),
            (self.audit, &mut keep.audit),
        ] {
            *kept = given.or(*kept);
        }
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid age \"{text}\"; use 90d or 12h: a whole number and s, m, h, d or w");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|age| *age > 0).map(Duration::from_secs).ok_or_else(wrong)
}

fn tenant(text: &str) -> Result<String, String> {
    if (1..=64).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err("a tenant has 1 to 64 bytes and no control characters".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "use a number of seconds, such as 30 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration >= Duration::from_millis(100))
        .ok_or_else(|| format!("{text} s is too short or too long; use at least 0.1 s"))
}

impl SettingsArgs {
    pub(super) fn apply(&self, settings: &mut Settings) {
        let set = |given: Option<Duration>, setting: &mut Duration| {
            if let Some(given) = given {
                *setting = given;
            }
        };
        set(self.liveness, &mut settings.liveness);
        set(self.cancel_grace, &mut settings.cancel_grace);
        set(self.shutdown_grace, &mut settings.shutdown_grace);
        set(self.stuck_for, &mut settings.stuck_for);
        if let Some(lease) = self.lease {
            settings.lease = lease;
            settings.renew_every = lease / 3;
        }
        if let Some(limit) = self.tasks_per_user {
            settings.tasks_per_user = limit;
        }
        if let Some(limit) = self.calls_per_user {
            settings.calls_per_user = limit;
        }
        settings.documents_per_user = self.documents_per_user.unwrap_or(settings.documents_per_user);
        settings.document_bytes_per_user = self.document_bytes_per_user.unwrap_or(settings.document_bytes_per_user);
        settings.trace_url = self.trace_url.clone().or(settings.trace_url.take());
        settings.files_url = self.files_url.clone().or(settings.files_url.take());
        settings.file_bytes = self.file_bytes.unwrap_or(settings.file_bytes);
        settings.files_per_user = self.files_per_user.unwrap_or(settings.files_per_user);
        settings.file_bytes_per_user = self.file_bytes_per_user.unwrap_or(settings.file_bytes_per_user);
    }
}

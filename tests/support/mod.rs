//! Real processes on real folders, their users, and the servers they talk to.
//!
//! A [`Node`] is the binary `probe` as a child process. A test can kill it with SIGKILL and start it
//! again on the same folder. A [`User`] calls it over HTTP.

pub mod cluster;
pub mod collector;
mod dice;
pub mod effect_service;
pub mod failpoints;
mod golden;
pub mod issuer;
pub mod model_server;
mod node;
mod patience;
mod port;
pub mod proxy;
pub mod replicated;
pub mod step_service;
mod stream;
mod terminal;
pub mod tls_server;
mod user;

pub use dice::{Dice, seed_from_env, seed_of_the_time};
pub use golden::{golden, updating_golden};
pub use node::{JWT_SECRET, Node, NodeOptions, SERVICE_TOKEN, sibling};
pub use patience::eventually;
pub use port::free_port;
pub use stream::{Events, SseEvent};
pub use terminal::Terminal;
pub use user::{Claims, User, token};

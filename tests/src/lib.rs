//! What the suites share: a real process on a real folder, and its users.
//!
//! A [`Node`] is the binary under test as a child process. It can be killed with -9 and started
//! again on the same folder. A [`User`] speaks to it over HTTP.

pub mod cluster;
pub mod collector;
pub mod crash;
pub mod issuer;
mod node;
pub mod nodes;
mod port;
pub mod proxy;
pub mod replicated;
mod stream;
mod terminal;
pub mod tls_server;
mod user;

pub use node::{JWT_SECRET, Node, NodeOptions, SERVICE_TOKEN, sibling};
pub use port::free_port;
pub use stream::{Events, SseEvent};
pub use terminal::Terminal;
pub use user::{Claims, User, token};

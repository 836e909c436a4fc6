//! One small extension for each surface of the context. `cargo run --example hello` serves one with its chat page.

//! Calls a second with 1, 2 and 4 nodes.

use std::time::Instant;

use imperal_tests::{Node, User};
use serde_json::json;

use super::share::Share;
use super::{load, median, nodes, rate};

/// Concurrent callers of all nodes together.
pub(crate) const CALLERS: usize = 32;
const ROUNDS: usize = 3;

/// Calls a second over HTTP, spread over the nodes: in the foreground, and with a background task.
pub(crate) async fn calls(nodes: &[Node], function: &'static str, params: &serde_json::Value, each: usize) -> f64 {
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let user = User::of(&nodes[number % nodes.len()], &format!("user-{number}"));
            let params = params.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    user.call(function, params.clone()).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    rate(CALLERS * each, begun.elapsed().as_secs_f64())
}

/// Measures with all cores for all nodes, or with this percentage of a core for each node.
pub(crate) async fn scale(hundredths: Option<u32>) {
    let counts = [1, 2, 4];
    let mut fleets = Vec::new();
    for count in counts {
        fleets.push(nodes(&format!("scale{count}"), count).await);
    }
    let share = |node: &Node| hundredths.map(|part| Share::of(node.pid(), part).expect("control groups, and root"));
    let shares: Vec<_> = fleets.iter().flat_map(|fleet| &fleet.nodes).map(share).collect();
    let (echo, steps) = (json!({"text": "hello"}), json!({"steps": 0, "step_ms": 0}));
    let mut figures: [[Vec<f64>; 2]; 3] = Default::default();
    let each_has = hundredths.map(|part| format!(", each node has {part} % of a core")).unwrap_or_default();
    println!("calls a second, {CALLERS} callers, medians of {ROUNDS} rounds in turn, load {}{each_has}:\n", load());
    for round in 0..=ROUNDS {
        for (fleet, figures) in fleets.iter().zip(&mut figures) {
            let all = [calls(&fleet.nodes, "echo", &echo, 25).await, calls(&fleet.nodes, "steps", &steps, 25).await];
            // The first round warms up.
            if round > 0 {
                all.into_iter().zip(figures).for_each(|(figure, figures)| figures.push(figure));
            }
        }
    }
    println!("| nodes | calls | | with a background task | |\n|--:|--:|--:|--:|--:|");
    let figures = figures.map(|both| both.map(median));
    let [calls, tasks] = figures[0];
    for (count, [echo, steps]) in counts.into_iter().zip(figures) {
        println!("| {count} | {echo:.0} | {:.2} x | {steps:.0} | {:.2} x |", echo / calls, steps / tasks);
    }
    println!("\nload at the end {}", load());
    drop(shares);
}

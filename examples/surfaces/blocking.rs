//! Runs code that computes or blocks on a thread of its own, with progress and cancel.
//! `cargo run --example blocking -- call primes below=5000000`

use imperal::prelude::*;

imperal::extension! {
    app_id: "blocking",
    name: "Prime counter",
    description: "Counts prime numbers on a thread of its own and can be cancelled meanwhile.",
    icon: "icon.svg",
    capabilities: ["blocking:read"],
}

#[derive(Deserialize, JsonSchema)]
struct PrimesParams {
    #[schemars(range(min = 1, max = 10_000_000))]
    below: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Primes {
    count: u32,
}

/// Counts the prime numbers below a limit.
#[chat_function(action_type = "read")]
async fn primes(ctx: Context, params: PrimesParams) -> Result<ActionResult<Primes>> {
    let below = params.below;
    let count = ctx
        .blocking(move |thread| {
            let mut count = 0;
            for number in 2..below {
                if number % 10_000 == 0 {
                    // Fails after a cancel, so that `?` ends the loop.
                    thread.progress(f64::from(number) * 100.0 / f64::from(below), "Counting")?;
                }
                count += u32::from((2..=number.isqrt()).all(|d| number % d != 0));
            }
            Ok(count)
        })
        .await?;
    Ok(ActionResult::success(Primes { count }, format!("{count} primes below {below}.")))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn counts_primes(platform: imperal::testing::TestPlatform) {
    let reply = platform.user("anna").call("primes", serde_json::json!({"below": 100})).await.unwrap();
    assert_eq!(reply.turn.body.text, "25 primes below 100.");
}

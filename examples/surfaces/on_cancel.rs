//! Gives back what a task holds when the user cancels.
//! `cargo run --example on_cancel -- call reserve seats=4 --follow`, then Ctrl-C

use imperal::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

imperal::extension! {
    app_id: "on-cancel",
    name: "Seat reservation",
    description: "Holds seats while their payment is awaited and frees the seats after a cancel.",
    icon: "icon.svg",
    capabilities: ["on-cancel:write"],
}

static FREE_SEATS: AtomicU32 = AtomicU32::new(50);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Reservation {
    #[schemars(range(min = 1, max = 50))]
    seats: u32,
}

/// Reserves seats: holds them for 20 seconds, in which the payment arrives.
#[chat_function(action_type = "write", event = "reserved", effects = ["create:reservation"], data_model = Reservation, background)]
async fn reserve(ctx: Context, Reservation { seats }: Reservation) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        let take = |free: u32| free.checked_sub(seats);
        FREE_SEATS
            .fetch_update(Relaxed, Relaxed, take)
            .map_err(|_| Error::user("SOLD_OUT", "Too few seats are free."))?;
        // Runs after a cancel, the cap, silence or a stop of the process, once the work is gone.
        // Its own context works: `ctx.http().delete(..)` would free the seats of a booking service.
        let held = ctx.on_cancel(async move |_ctx| {
            FREE_SEATS.fetch_add(seats, Relaxed);
            Ok(())
        });
        for second in 1..=20_u32 {
            ctx.progress(5 * second, "Waiting for the payment").await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        held.disarm();
        Ok(ActionResult::success(Reservation { seats }, format!("{seats} seats are yours.")))
    })
    .await?;
    Ok(ActionResult::done("Holding the seats…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn a_cancel_frees_the_seats(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    anna.run_and_cancel_when("reserve", serde_json::json!({"seats": 4}), |p| p.percent > 50.0).await;
    assert_eq!(FREE_SEATS.load(Relaxed), 50);
}

//! Cleans up when the user cancels.
//! `cargo run --example on_cancel -- call export lines=20 --follow`, then Ctrl-C

use std::io::Write;

use imperal::prelude::*;

imperal::extension! {
    app_id: "on-cancel",
    name: "File export",
    description: "Exports lines into a temporary file and removes the file after a cancel.",
    icon: "icon.svg",
    capabilities: ["on-cancel:write"],
}

#[derive(Deserialize, JsonSchema)]
struct ExportParams {
    #[schemars(range(min = 1, max = 50))]
    lines: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Exported {
    path: String,
}

/// Exports lines into a temporary file, one a second.
#[chat_function(action_type = "write", event = "exported", effects = ["create:file"], data_model = Exported, background)]
async fn export(ctx: Context, params: ExportParams) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        let path = std::env::temp_dir().join(format!("export-{}.txt", ctx.call_id()));
        let mut file = std::fs::File::create(&path)?;
        let partial = path.clone();
        // Runs after a cancel, the cap, silence or a stop of the process, once the work is gone.
        let cleanup = ctx.on_cancel(move |_ctx| async move { Ok(std::fs::remove_file(partial)?) });
        for line in 1..=params.lines {
            ctx.progress(100 * line / params.lines, format!("Line {line}")).await?;
            writeln!(file, "line {line}")?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        cleanup.disarm();
        let path = path.display().to_string();
        Ok(ActionResult::success(Exported { path: path.clone() }, path))
    })
    .await?;
    Ok(ActionResult::done("Exporting…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn a_cancel_removes_the_file(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    let outcome = anna.run_and_cancel_when("export", serde_json::json!({"lines": 9}), |p| p.percent > 50.0).await;
    let file = std::env::temp_dir().join(format!("export-{}.txt", outcome.task.call_id));
    assert!(!file.exists());
}

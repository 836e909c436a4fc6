//! A Restate service in Rust. `PORT` in the environment.

use std::time::Duration;

use imperal_bench_peers::{unix_micros, variable};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// As the job of the other sides.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Job {
    count: u32,
    name: String,
    service: String,
}

struct Bench;

#[service]
impl Bench {
    #[handler]
    async fn nothing(&self, _ctx: Context<'_>, _job: Json<Job>) -> HandlerResult<String> {
        Ok("done".to_owned())
    }

    #[handler]
    async fn count(&self, ctx: Context<'_>, job: Json<Job>) -> HandlerResult<String> {
        let mut sum = 0;
        for number in 0..job.into_inner().count {
            sum += ctx.run(|| async move { Ok(number) }).name("count").await?;
        }
        Ok(format!("sum {sum}"))
    }

    #[handler]
    async fn travel(&self, ctx: Context<'_>, job: Json<Job>) -> HandlerResult<String> {
        let job = job.into_inner();
        for step in 1..=5 {
            if step == 4 {
                ctx.sleep(Duration::from_secs(3)).await?;
            }
            let url = format!("{}/{}/{step}", job.service, job.name);
            ctx.run(|| async move {
                reqwest::get(url).await?.error_for_status()?;
                Ok(())
            })
            .name("ask")
            .await?;
        }
        Ok("done".to_owned())
    }

    #[handler]
    async fn rest(&self, ctx: Context<'_>, _job: Json<Job>) -> HandlerResult<String> {
        ctx.sleep(Duration::from_secs(3600)).await?;
        Ok("done".to_owned())
    }
}

/// Restate has no progress; a workflow's state, which others read, is the nearest.
struct Watched;

#[workflow]
impl Watched {
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>, job: Json<Job>) -> HandlerResult<String> {
        for _ in 0..job.into_inner().count {
            // A value that was set leaves the service with the next durable call.
            ctx.sleep(Duration::from_millis(150)).await?;
            ctx.set("progress", format!("at={};", unix_micros()));
        }
        ctx.sleep(Duration::from_millis(150)).await?;
        Ok("done".to_owned())
    }

    #[handler]
    async fn look(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<String> {
        Ok(ctx.get::<String>("progress").await?.unwrap_or_default())
    }
}

#[tokio::main]
async fn main() {
    let address = format!("127.0.0.1:{}", variable("PORT")).parse().unwrap();
    HttpServer::new(Endpoint::builder().bind(Bench).bind(Watched).build()).listen_and_serve(address).await;
}

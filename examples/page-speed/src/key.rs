//! The key of the service: tried before it is stored, never shown.

use imperal::prelude::*;

use crate::settings::Shown;
use crate::speed_api::SpeedApi;
use crate::store::{self, KEY};

#[derive(Deserialize, JsonSchema)]
struct ConnectParams {
    /// Your key of the page-speed service.
    #[schemars(length(min = 8, max = 200), extend("format" = "password", "writeOnly" = true))]
    api_key: String,
}

/// Connect the page-speed service: try the key, and keep it when it works.
#[chat_function(action_type = "write", event = "page-speed.connected", effects = ["update:key"])]
async fn connect_pagespeed(ctx: Context, params: ConnectParams) -> Result<ActionResult<Shown>> {
    let key = params.api_key.trim().to_owned();
    ctx.state::<SpeedApi>()?.try_key(&ctx, &key).await?;
    ctx.set_secret(&KEY, key).await?;
    let settings = store::settings(&ctx).await?;
    Ok(ActionResult::success(settings.into(), "The page-speed service is connected.")
        .refresh_panels(["page-speed", "page-speed-settings"]))
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// The result of a disconnect.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Disconnected {
    /// Whether there was a key.
    had_key: bool,
}

/// Disconnect the page-speed service: forget its key. The history stays.
#[chat_function(action_type = "write", event = "page-speed.disconnected", effects = ["delete:key"])]
async fn disconnect_pagespeed(ctx: Context, _params: NoParams) -> Result<ActionResult<Disconnected>> {
    let had_key = ctx.remove_secret(&KEY).await?;
    let text = if had_key { "The key is forgotten; the history stays." } else { "There was no key." };
    Ok(ActionResult::success(Disconnected { had_key }, text))
}

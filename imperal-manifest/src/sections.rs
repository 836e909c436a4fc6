//! The sections of a manifest, typed, except its tools.
//!
//! One type per section, with fields in the order in which the reference SDK writes them. The types accept
//! values that a manifest does not allow, such as an unknown `slot`; `check` reports those.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $kind:ident $field:ident : $ty:ty,)*
    })*) => {$(
        sections!(@type $(#[$doc])* $name { $($(#[$field_doc])* $kind $field : $ty,)* } -> {});
    )*};
    (@type $(#[$doc:meta])* $name:ident {} -> { $($out:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub struct $name { $($out)* }
    };
    // `need`: required. `always`: written even if empty. `may`: written if set; null in a file means absent.
    (@type $(#[$doc:meta])* $name:ident { $(#[$d:meta])* need $f:ident : $t:ty, $($rest:tt)* } -> { $($out:tt)* }) => {
        sections!(@type $(#[$doc])* $name { $($rest)* } -> { $($out)* $(#[$d])* pub $f: $t, });
    };
    (@type $(#[$doc:meta])* $name:ident { $(#[$d:meta])* always $f:ident : $t:ty, $($rest:tt)* } -> { $($out:tt)* }) => {
        sections!(@type $(#[$doc])* $name { $($rest)* } -> { $($out)* $(#[$d])* #[serde(default)] pub $f: $t, });
    };
    (@type $(#[$doc:meta])* $name:ident { $(#[$d:meta])* may $f:ident : $t:ty, $($rest:tt)* } -> { $($out:tt)* }) => {
        sections!(@type $(#[$doc])* $name { $($rest)* } -> {
            $($out)* $(#[$d])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $f: Option<$t>,
        });
    };
}

sections! {
    /// A platform signal that the extension handles.
    Signal {
        /// Name of the signal.
        need name: String,
        /// Description for people.
        may description: String,
    }

    /// A function that runs on a timetable.
    Schedule {
        /// Unique within the extension.
        need name: String,
        /// Five fields in UTC, or a keyword such as `@daily`.
        need cron: String,
        /// Description for people.
        may description: String,
    }

    /// An HTTP path that other services call.
    Webhook {
        /// Begins with a slash.
        need path: String,
        /// HTTP method. Default: `POST`.
        may method: String,
        /// Header that carries the caller's secret.
        may secret_header: String,
    }

    /// A service where the user has an account, which the platform connects by OAuth.
    OAuth {
        /// Name of the service.
        need provider: String,
        /// Name of the collection that stores the connected accounts.
        may collection: String,
        /// Permissions that the platform requests from the service.
        always scopes: Vec<String>,
        /// Whether the extension has a hook that runs after a user connects an account.
        always has_hook: bool,
    }

    /// Events that the extension receives and emits.
    Events {
        /// Events that it receives.
        always subscribes: Vec<EventSubscription>,
        /// Events that it emits.
        always emits: Vec<EventEmit>,
    }

    /// An event that the extension receives.
    EventSubscription {
        /// Name of the event.
        #[serde(rename = "type")]
        need kind: String,
        /// Function that handles it.
        need handler: String,
    }

    /// An event that the extension emits.
    EventEmit {
        /// Name of the event. Begins with the app id and a full stop.
        #[serde(rename = "type")]
        need kind: String,
        /// Reference to its schema.
        may schema_ref: String,
    }

    /// A function that other extensions may call.
    Exposed {
        /// Unique within the extension.
        need name: String,
        /// `read` or `write`.
        need action_type: String,
    }

    /// Lifecycle events that the extension handles.
    Lifecycle {
        /// Whether it handles the installation by a user.
        may on_install: bool,
        /// Whether it handles the removal by a user.
        may on_uninstall: bool,
        /// Whether it handles being switched on.
        may on_enable: bool,
        /// Whether it handles being switched off.
        may on_disable: bool,
        /// Versions for which it has an upgrade hook.
        may on_upgrade: Vec<String>,
        /// Settings of its health check.
        may health_check: HealthCheck,
    }

    /// The health check of an extension.
    HealthCheck {
        /// Seconds between two checks, at least 30.
        may interval_sec: i64,
    }

    /// An icon in the panel's top bar.
    Tray {
        /// Unique within the extension.
        need tray_id: String,
        /// Name of the icon.
        may icon: String,
        /// Text that appears on hover.
        may tooltip: String,
        /// `status`, `actions` or `system`.
        may zone: String,
        /// Position within the zone; lower numbers come first.
        may order: i64,
        /// `corner` or `inline`.
        may badge_style: String,
        /// Name of a theme colour, not a hex code.
        may icon_color: String,
    }

    /// An entry of the user's menu.
    MenuItem {
        /// Unique within the extension.
        need item_id: String,
        /// Text of the entry.
        need label: String,
        /// Name of the icon.
        may icon: String,
        /// `main` or `admin`.
        may section: String,
        /// Path that the entry opens. Without a path, the entry calls the extension.
        may path: String,
        /// Position within the section; lower numbers come first.
        may order: i64,
        /// Whether the menu marks it as a dangerous action.
        may danger: bool,
    }

    /// A credential that the extension reads.
    Secret {
        /// Unique within the extension.
        need name: String,
        /// Explains the secret to the person who enters its value.
        need description: String,
        /// Whether the extension cannot work without it.
        always required: bool,
        /// Allowed writers of the value: `user`, `extension` or `both`.
        may write_mode: String,
        /// Most bytes of the value, from 1 to 65536.
        may max_bytes: i64,
        /// Owner of the value: `user` or `app`.
        may scope: String,
        /// Age of the value, in days, at which a new one is advised.
        may rotation_hint_days: i64,
        /// Environment variable used as a fallback; `app` scope only.
        may env_fallback: String,
    }

    /// A tool that takes an uploaded file.
    FileSink {
        /// Name of a tool of this extension.
        need tool: String,
        /// Media types or kinds of file that the tool takes.
        need accepts: Vec<String>,
        /// Parameter that takes the file.
        need arg: String,
        /// Form in which the parameter gets the file: `text`, `file_id` or `bytes_ref`.
        may arg_kind: String,
        /// Description for people.
        may description: String,
    }

    /// A kind of object that the platform's search finds.
    SearchProvider {
        /// Kind of the objects.
        need entity_type: String,
        /// Function that searches.
        need handler: String,
        /// Description for people.
        may description: String,
    }
}

/// A panel of the extension. Other keys are allowed and kept in `more`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Panel {
    /// Unique within the extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel_id: Option<String>,
    /// `center`, `left` or `right`; the platform does not draw `overlay`, `bottom` and `chat-sidebar`.
    pub slot: String,
    /// Its heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A fixed tree of nodes; empty if the extension draws it at run time.
    #[serde(default)]
    pub tree: Map<String, Value>,
    /// Name of the icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// When the platform draws the panel again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<String>,
    /// Whether it covers the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub center_overlay: Option<bool>,
    /// Initial width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_width: Option<i64>,
    /// Smallest width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_width: Option<i64>,
    /// Largest width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<i64>,
    /// Every other key, in its order.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

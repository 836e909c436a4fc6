"""The extension of `extension.rs`, its manifest, and the results of `imperal build` over files on disk."""
import json
import os
import sys
import tempfile
from datetime import datetime
from enum import Enum

from imperal_sdk import Extension
from imperal_sdk.chat.action_result import ActionResult
from imperal_sdk.chat.extension import ChatExtension
from imperal_sdk.manifest import generate_manifest, save_manifest
from pydantic import BaseModel, Field

ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M0 0"/></svg>\n'

ext = Extension(
    "every-kind",
    version="1.2.3",
    capabilities=["every-kind:read", "every-kind:write", "*"],
    display_name="Every kind",
    description="Has a function of every kind, so that manifests can be compared: größer, 日本語.",
    icon="icon.svg",
)
ext.secret("api_key", "Key of the service: größer, 日本語.", required=True, max_bytes=200)
ext.secret("refresh_token", "Written after the sign-in.", write_mode="both", rotation_hint_days=30)
ext.secret("shared_key", "One key for all users.", scope="app", env_fallback="IMPERAL_APPSECRET_EVERY_KIND")
chat = ChatExtension(ext, tool_name="every_kind")


class Sort(str, Enum):
    NEWEST = "newest"
    MOST_USED = "most_used"


class Window(BaseModel):
    since: datetime
    until: datetime | None = None


class FindParams(BaseModel):
    """Finds rows."""

    query: str = Field(min_length=1, max_length=200, description="What to look for")
    limit: int = Field(7, ge=1, le=100, description="Maximum rows")
    threshold: float = Field(1.5e-07, description="How sure to be")
    labels: list[str] | None = None
    sort: Sort | None = None
    window: Window | None = None


class RowIdParams(BaseModel):
    row_id: str = Field(description="Row identifier")


class Nothing(BaseModel):
    pass


class LedgerRow(BaseModel):
    row_id: str
    amount: int
    note: str | None = None


class Rows(BaseModel):
    rows: list[LedgerRow]
    total: int


@chat.function("find_rows", "Find rows of the ledger by text.", action_type="read")
async def find_rows(ctx, params: FindParams) -> ActionResult[Rows]:
    raise NotImplementedError


@chat.function("count_rows", "Count the rows of the ledger.", action_type="read", chain_callable=False)
async def count_rows(ctx, params: Nothing) -> ActionResult[Rows]:
    raise NotImplementedError


@chat.function(
    "rebuild_row",
    "Recompute one row of the ledger.",
    action_type="write",
    event="every-kind.rebuilt",
    effects=["update:row", "create:note"],
)
async def rebuild_row(ctx, params: RowIdParams) -> ActionResult[LedgerRow]:
    raise NotImplementedError


@chat.function(
    "rebuild_all",
    "Recompute the whole ledger, in the background.",
    action_type="write",
    event="every-kind.all_rebuilt",
    effects=["update:row"],
    background=True,
    long_running=True,
)
async def rebuild_all(ctx, params: Nothing) -> ActionResult:
    raise NotImplementedError


@chat.function(
    "drop_row",
    'Delete one row of the ledger permanently: "gone" & <not> coming back.',
    action_type="destructive",
    event="every-kind.dropped",
    effects=["delete:row"],
    id_projection="row_id",
    data_model=LedgerRow,
)
async def remove(ctx, params: RowIdParams) -> ActionResult:
    raise NotImplementedError


@ext.schedule("check_rows", cron="*/15 8-18 * * mon-fri")
async def check_rows(ctx):
    raise NotImplementedError


@ext.schedule("tidy", cron="@weekly")
async def tidy(ctx):
    raise NotImplementedError


BASE = {"app_id": "every-kind", "version": "0.0.1"}
DISK = {
    "name and marketplace texts on disk": BASE
    | {
        "tags": ["a", "ü"],
        "name": "Curated",
        "author": "Somebody",
        "category": "productivity",
        "pricing": {"plan": "free", "amount": 1.0, "deep": {"z": 1e-07, "a": [None, True]}},
        "marketplace": {},
        "license": "Apache-2.0",
        "homepage": "https://example.com/",
    },
    "unknown keys and stale sections on disk": BASE
    | {"x_unknown": 1, "webhooks": [{"path": "/a"}], "config_defaults": {"a": 1}, "tools": [], "description": "Kept."},
    "secrets of another build on disk": BASE
    | {
        "secrets": [{"name": "api_key", "description": "Old."}, {"name": "gone", "description": "Gone."}],
        "panels": [{"panel_id": "secrets", "slot": "left"}],
    },
    "schedules of another build on disk": BASE
    | {"schedules": [{"name": "tidy", "cron": "0 4 * * *", "description": "Old."}, {"name": "gone", "cron": "@daily"}]},
    "nulls on disk": BASE | {"author": None, "name": None, "pricing": None, "hidden_in_sidebar": None},
    "everything that a file may own": BASE
    | {
        key: None if key in ("marketplace", "pricing") else "x"
        for key in ("name", "description", "author", "license", "homepage", "category", "marketplace", "pricing")
    }
    | {"tags": [], "icon": "icon.svg", "hidden_in_sidebar": False},
    "an empty object on disk": {},
}


def dump(manifest):
    return json.dumps(manifest, indent=2, ensure_ascii=False)


built = {}
disk = {}
with tempfile.TemporaryDirectory() as bare:
    os.chdir(bare)
    generated = dump(generate_manifest(ext))
for name, manifest in DISK.items():
    disk[name] = json.dumps(manifest, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("imperal.json", "w") as file:
            file.write(disk[name])
        with open("icon.svg", "w") as file:
            file.write(ICON)
        with open(save_manifest(ext, folder), newline="") as file:
            built[name] = file.read()
        os.chdir("/")
json.dump({"generated": generated, "icon": ICON, "disk": disk, "built": built}, sys.stdout)

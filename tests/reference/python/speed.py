"""Times of `imperal build` and of the manifest's check for a thousand functions, imports left out."""
import json
import os
import sys
import tempfile
import time
from enum import Enum

from imperal_sdk import Extension
from imperal_sdk.chat.action_result import ActionResult
from imperal_sdk.chat.extension import ChatExtension
from imperal_sdk.manifest import save_manifest
from imperal_sdk.manifest_schema import validate_manifest_dict
from imperal_sdk.validator import validate_extension
from imperal_sdk.validator_v1_6_0 import validate_manifest_v1_6_0
from pydantic import BaseModel, Field, create_model


class Sort(str, Enum):
    NEWEST = "newest"
    MOST_USED = "most_used"


class Window(BaseModel):
    since: str
    until: str | None = None


class Line(BaseModel):
    row_id: str
    amount: int
    note: str | None = None


ext = Extension(
    "thousand",
    version="0.1.0",
    display_name="A thousand",
    description="Has a thousand functions, so that time can be taken of them.",
)
chat = ChatExtension(ext, tool_name="thousand")
TYPES = []
for at in range(10):
    params = create_model(
        f"P{at}",
        __doc__="What to find",
        query=(str, Field(min_length=1, max_length=200, description="What to look for")),
        limit=(int, Field(7, ge=1, le=100, description="Maximum rows")),
        labels=(list[str] | None, None),
        sort=(Sort | None, None),
        window=(Window | None, None),
    )
    TYPES.append((params, create_model(f"D{at}", rows=list[Line], total=int, next=(str | None, None))))
for at in range(1000):
    params, data = TYPES[at % 10]

    async def run(ctx, params: params) -> ActionResult:
        """Runs."""

    chat.function(f"f{at:03}", "Find rows of the ledger by their text.", action_type="read", data_model=data)(run)

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    start = time.process_time()
    path = save_manifest(ext, folder)
    build = time.process_time() - start
    start = time.process_time()
    report = validate_extension(ext)
    with open(path) as file:
        manifest = json.load(file)
    issues = validate_manifest_dict(manifest) + validate_manifest_v1_6_0(manifest)
    check = time.process_time() - start
    assert not issues, issues
    os.chdir("/")
json.dump({"build": build, "check": check}, sys.stdout)

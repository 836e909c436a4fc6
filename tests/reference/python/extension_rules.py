"""Runs the reference's rules on extensions that are rebuilt from manifests.

The rebuilt extension has the names, texts and models of the manifest. Parts that only Python source shows
(docstrings, annotations) are valid.
"""
import json
import os
import sys

from imperal_sdk import Extension
from imperal_sdk.chat.action_result import ActionResult
from imperal_sdk.chat.extension import ChatExtension
from imperal_sdk.validator import validate_extension
from pydantic import BaseModel


class Params(BaseModel):
    pass


class Data(BaseModel):
    pass


def make(manifest):
    ext = Extension(
        manifest["app_id"],
        version=manifest["version"],
        capabilities=manifest["capabilities"],
        display_name=manifest["name"],
        description=manifest["description"],
        icon=manifest["icon"],
        actions_explicit=manifest["actions_explicit"],
        system=manifest["system"],
    )
    for tool in manifest["tools"]:
        chats = getattr(ext, "_chat_extensions", {})
        chat = chats.get(tool["owner_chat_tool"]) or ChatExtension(ext, tool_name=tool["owner_chat_tool"])

        async def run(ctx, params: Params) -> ActionResult:
            """Runs."""

        chat.function(
            tool["name"],
            tool["description"],
            action_type=tool["action_type"],
            event=tool["event"],
            chain_callable=tool["chain_callable"],
            effects=tool["effects"],
            id_projection=tool["id_projection"],
            data_model=Data if tool["return_schema"] else None,
        )(run)
    return ext


out = []
for text, folder in json.load(sys.stdin):
    os.chdir(folder)
    report = validate_extension(make(json.loads(text)))
    out.append([[issue.rule, issue.level] for issue in report.issues])
json.dump(out, sys.stdout)

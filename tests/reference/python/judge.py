"""The reference's verdict on each manifest text of a list: `[[code, place], ..]`, errors only."""
import json
import sys

from imperal_sdk.manifest_schema import validate_manifest_dict
from imperal_sdk.validator_v1_6_0 import validate_manifest_v1_6_0


def judge(text):
    try:
        manifest = json.loads(text)
    except ValueError:
        return [["M0", ""]]
    try:
        issues = list(validate_manifest_dict(manifest))
    except ValueError as refusal:
        return [[str(refusal).split()[0], ""]]
    if isinstance(manifest, dict):
        issues += validate_manifest_v1_6_0(manifest)
    found = []
    for issue in issues:
        place = issue.message[1:].split("] ")[0] if issue.message.startswith("[") else ""
        found.append([issue.rule, "" if place == "root" else place, issue.level])
    return [entry[:2] for entry in found if entry[-1] == "ERROR"] + [entry for entry in found if entry[-1] == "WARN"]


json.dump([judge(text) for text in json.load(sys.stdin)], sys.stdout)

"""Prints the schema of every shape, as the reference SDK would put it into a manifest."""
import json
import sys

import shapes_alternatives  # noqa: F401
import shapes_collections  # noqa: F401
import shapes_constraints  # noqa: F401
import shapes_scalars  # noqa: F401
import shapes_structs  # noqa: F401
from shape import SHAPES

out = {}
for name, model in SHAPES.items():
    out[name] = json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False)
json.dump(out, sys.stdout)

"""Names and collects the Python half of the corpus."""
from pydantic import BaseModel, create_model

SHAPES: dict[str, type] = {}


def one(name: str, kind, field=...):
    """A model of one field, `value`."""
    assert name not in SHAPES, name
    SHAPES[name] = create_model("Model", value=(kind, field))


def shape(make):
    """The class that a function of that name makes."""
    assert make.__name__ not in SHAPES, make.__name__
    SHAPES[make.__name__] = make()
    return make

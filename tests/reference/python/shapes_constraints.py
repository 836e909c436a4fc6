"""Bounds, patterns, formats, defaults, and what is said about a field."""
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shape import one, shape

one("at_least", int, Field(ge=1))
one("at_most", int, Field(le=9))
one("between", int, Field(ge=1, le=100))
one("around_zero", int, Field(ge=-5, le=5))
one("between_floats", float, Field(ge=0.5, le=1.5))
one("at_least_zero", int, Field(ge=0))
one("at_least_zero_unsigned", int, Field(ge=0))
one("at_most_a_byte", int, Field(le=255))
one("at_most_200", int, Field(le=200))
one("more_than", int, Field(gt=0))
one("less_than", int, Field(lt=10))
one("multiple", int, Field(multiple_of=5))
one("not_empty", str, Field(min_length=1))
one("short", str, Field(max_length=20_000))
one("sized", str, Field(min_length=2, max_length=8))
one("exact", str, Field(min_length=4, max_length=4))
one("pattern", str, Field(pattern=r"^[a-z]+\d*$"))
one("pattern_and_length", str, Field(min_length=3, pattern="^a"))
one("email", str, Field(json_schema_extra={"format": "email"}))
one("url", str, Field(json_schema_extra={"format": "uri"}))
one("list_not_empty", list[str], Field(min_length=1))
one("list_sized", list[int], Field(min_length=1, max_length=4))
one("list_of_short", list[Annotated[str, Field(max_length=5)]])
one("list_of_bounded", list[Annotated[int, Field(ge=1, le=6)]])
one("list_of_pattern", list[Annotated[str, Field(pattern="^x")]], Field(max_length=3))
one("titled", int, Field(title="A title"))
one("described", int, Field(description="What it is"))
one("commented", int, Field(description="Said in a comment"))
one("two_lines", int, Field(description="Two\nlines"))
one(
    "paragraphs",
    str,
    Field(description='A first paragraph.\n\nAnd a second: "quoted", `code`, \\backslash, ünïcode 日本語.'),
)
one("examples", int, Field(examples=[1, 2]))
one("deprecated", int, Field(deprecated=True))
one("extended", int, Field(json_schema_extra={"x-unit": "EUR"}))
one("everything", int, Field(7, ge=1, le=9, description="How many", examples=[3], deprecated=True))

one("default_zero", int, 0)
one("default_int", int, 7)
one("default_negative", int, -40)
one("default_false", bool, False)
one("default_true", bool, True)
one("default_empty", str, "")
one("default_text", str, "Grüße, 日本\n\"q\"")
one("default_float", float, 0.5)
one("default_whole_float", float, 2.0)
one("default_tiny", float, 1.5e-07)
one("default_huge", float, 1e22)
one("default_list", list[str], ["red", "green"])
one("default_map", dict[str, float], {"a": 0.25, "b": 1.0})
one("default_any", Any, {"z": [1, None], "a": {"y": 1, "b": 2}})
one("default_uuid", UUID, UUID(int=0))
one("default_tuple", tuple[int, str], (1, "a"))
one("default_described", int, Field(7, description="Seven by default"))
one("default_opt_list", list[int] | None, [1, 2])


@shape
def container_default():
    class Model(BaseModel):
        limit: int = 10
        label: str | None = None
        deep: bool = True

    return Model


@shape
def default_struct():
    class Window(BaseModel):
        width: int
        at: list[int]

    class Model(BaseModel):
        window: Window = Window(width=80, at=[1, 2])

    return Model


@shape
def default_enum():
    class Mode(str, Enum):
        FAST = "fast"
        VERY_SLOW = "very_slow"

    class Model(BaseModel):
        mode: Mode = Mode.VERY_SLOW

    return Model

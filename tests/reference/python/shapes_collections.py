"""Lists, sets, tuples and maps."""
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shape import one, shape


class Row(BaseModel):
    row_id: str
    amount: int


class Color(str, Enum):
    """A colour"""

    RED = "red"
    GREEN = "green"


one("list_text", list[str])
one("list_int", list[int])
one("list_small_int", list[int])
one("list_float", list[float])
one("list_bool", list[bool])
one("list_list", list[list[int]])
one("list_any", list[Any])
one("list_row", list[Row])
one("list_color", list[Color])
one("list_map", list[dict[str, int]])
one("list_uuid", list[UUID])
one("list_moment", list[datetime])
one("list_decimal", list[Decimal])
one("list_tuple", list[tuple[str, int]])
one("list_boxed", list[Row])
one("boxed_slice", list[int])
one("deque", list[int])
one("linked", list[int])
one("set_text", set[str])
one("set_int", set[int])
one("set_color", set[Color])
one("pair", tuple[int, str])
one("triple", tuple[bool, float, list[str]])
one("single", tuple[int])
one("tuple_row", tuple[Row, Color])
one("tuple_opt", tuple[int, str | None])
one("fixed", list[int], Field(min_length=3, max_length=3))
one("fixed_rows", list[Row], Field(min_length=2, max_length=2))
one("map_int", dict[str, int])
one("map_text", dict[str, str])
one("map_list", dict[str, list[int]])
one("map_map", dict[str, dict[str, bool]])
one("map_row", dict[str, Row])
one("map_color", dict[str, Color])
one("map_any", dict[str, Any])
one("map_opt", dict[str, int | None])
one("map_tuple", dict[str, tuple[int, int]])
one("map_int_key", dict[int, str])
one("map_signed_key", dict[int, Row])
one("map_int_key_any", dict[int, Any])
one("map_char_key", dict[str, int])
one("map_enum_key", dict[Color, int])
one("list_default", list[str], [])
one("map_default", dict[str, int], {})
one("set_default", set[int], set())
one("list_factory", list[str], Field(default_factory=list))
one("map_factory", dict[str, int], Field(default_factory=dict))


@shape
def lists_of_everything():
    class Model(BaseModel):
        rows: list[Row]
        by_id: dict[str, Row]
        colors: set[Color]
        pages: list[list[Row]]

    return Model

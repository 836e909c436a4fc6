"""Single values: numbers, text, dates, identifiers, and what may be absent."""
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, IPvAnyAddress

from shape import one, shape

one("boolean", bool)
for name in ("int8 int16 int32 int64 int128 int_size uint8 uint16 uint32 uint64 uint128 uint_size").split():
    one(name, int)
one("float32", float)
one("float64", float)
one("non_zero", int, Field(ge=1))
one("non_zero_signed", int)
one("text", str)
one("character", str, Field(min_length=1, max_length=1))
one("path", str)
one("cow", str)
one("boxed", str)
one("nothing", None)
one("anything", Any)
one("any_object", dict[str, Any])
one("any_number", float)


@shape
def duration():
    class Duration(BaseModel):
        secs: int
        nanos: int

    class Model(BaseModel):
        value: Duration

    return Model


one("ipv4", IPv4Address)
one("ipv6", IPv6Address)
one("ip", IPvAnyAddress)
one("uuid", UUID)
one("moment", datetime)
one("day", date)
one("time_of_day", time)
one("local_moment", datetime)
one("zoned_moment", datetime)
one("signed_duration", timedelta)
one("decimal", Decimal)
one("bytes", bytes)
one("byte_list", list[int])

one("opt_bool", bool | None, None)
one("opt_int", int | None, None)
one("opt_small_int", int | None, None)
one("opt_float", float | None, None)
one("opt_text", str | None, None)
one("opt_list", list[int] | None, None)
one("opt_list_of_opt", list[str | None] | None, None)
one("opt_map", dict[str, int] | None, None)
one("opt_set", set[str] | None, None)
one("opt_tuple", tuple[int, str] | None, None)
one("opt_uuid", UUID | None, None)
one("opt_moment", datetime | None, None)
one("opt_day", date | None, None)
one("opt_decimal", Decimal | None, None)
one("opt_any", Any, None)
one("opt_any_object", dict[str, Any] | None, None)
one("opt_opt", int | None, None)
one("opt_boxed", int | None, None)
one("list_of_opt", list[int | None])
one("opt_bounded", Annotated[int, Field(ge=1, le=100)] | None, None)
one("opt_bounded_text", Annotated[str, Field(min_length=1, max_length=5)] | None, None)
one("opt_bounded_list", Annotated[list[str], Field(max_length=3)] | None, None)
one("opt_required", int)
one("opt_default", int | None, None)
one("opt_default_some", int | None, 5)
one("opt_skipped", str | None, None)
one("opt_default_skipped", str | None, None)
one("opt_described", str | None, Field(None, description="Why", examples=["a", "b"]))
one("opt_deprecated", str | None, Field(None, deprecated=True))


class Inner(BaseModel):
    count: int = Field(description="How many")


@shape
def opt_nested():
    class Model(BaseModel):
        inner: Inner | None = None

    return Model


@shape
def opt_nested_described():
    class Model(BaseModel):
        inner: Inner | None = Field(None, description="The inner one")

    return Model


@shape
def opt_many():
    class Model(BaseModel):
        a: int | None = None
        b: str
        c: list[Inner] | None = None
        d: bool

    return Model

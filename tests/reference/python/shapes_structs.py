"""Structs: nesting, recursion, names, flattening, strictness."""
from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from shape import SHAPES, one, shape

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


class Documented(BaseModel):
    """A row of the ledger"""

    id: str = Field(description="Its id")


class RowId(RootModel[str]):
    pass


class Position(RootModel[tuple[float, float]]):
    pass


class Tags(RootModel[list[str]]):
    pass


class Empty(BaseModel):
    pass


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = None


class Pair(BaseModel, Generic[A, B]):
    left: A
    right: B


one("nested", Documented)
one("nested_described", Documented, Field(description="Which row"))
one("nested_deprecated", Documented, Field(deprecated=True))
one("nested_opt_list", list[Documented] | None, None)
one("nested_map_list", dict[str, list[Documented]])
one("newtype", RowId)
one("newtype_opt", RowId | None, None)
one("newtype_list", list[RowId])
one("newtype_of_list", Tags)
one("transparent", int)
one("tuple_struct", Position)
one("empty_nested", Empty)
one("generic", Page[Documented])
one("generic_primitive", Page[str])
one("generic_number", Page[int])
one("generic_two", Pair[str, int])
one("generic_nested", Page[Page[int]])
one("generic_list", Page[list[float]])


def named():
    class Batch(BaseModel, Generic[T]):
        rows: list[T]

    return Batch


one("generic_named", named()[Documented])
one("renamed", str, Field(alias="dueDate"))
one("renamed_twice", str, Field(validation_alias="read", serialization_alias="written"))
one("aliased", int)


def model(name, /, _doc=None, _config=None, **fields):
    assert name not in SHAPES, name
    SHAPES[name] = create_model("Model", __doc__=_doc, __config__=_config, **fields)


model("empty")
model("empty_strict", _config=ConfigDict(extra="forbid"))
model("strict", _config=ConfigDict(extra="forbid"), a=int)
model("documented", _doc="What the function takes\n\nIn two paragraphs.", a=int)
model("titled_model", _config=ConfigDict(title="Another title"), a=int)
model("renamed_model", _config=ConfigDict(title="Other"), a=int)
model(
    "order_of_fields",
    zebra=int,
    apple=int,
    mango=(int | None, None),
    banana=str,
    under=(bool, Field(alias="_under")),
    row2col_id=int,
    a=int,
)
model("camel_case", due_date=(str, Field(alias="dueDate")), row_id=(int, Field(alias="rowId")))
model("keywords", type=str, in_=(int, Field(alias="in")))
model("unicode_fields", größe=int, straße_id=int)


class Nested(BaseModel):
    title: str
    description: str | None = None


model("oddly_named_fields", default=Nested, properties=Nested, required=bool, items=list[int])
model("field_named_default", default=(int, Field(ge=1, description="Used where nothing is given")))
model("skipped_field", a=int)


class C(BaseModel):
    value: float


def deep_models():
    class B(BaseModel):
        c: C | None = None

    class A(BaseModel):
        b: list[B]

    A.model_rebuild(_types_namespace={"B": B})
    return A


model("deep", a=deep_models())
model("used_twice", first=Documented, second=(Documented | None, None), more=list[Documented])


class Zed(BaseModel):
    n: int


class Alpha(BaseModel):
    n: int


model("sorted_definitions", z=Zed, a=Alpha)


@shape
def recursive_root():
    class Model(BaseModel):
        name: str
        children: list[Model]

    return Model


@shape
def recursive_root_opt():
    class Model(BaseModel):
        next: Model | None = None

    return Model


class Node(BaseModel):
    name: str
    parent: Node | None = None
    children: list[Node]


model("recursive_nested", tree=Node)


class File(BaseModel):
    folder: Folder | None = None


class Folder(BaseModel):
    files: list[File]


model("recursive_mutual", file=File)


class PageParams(BaseModel):
    limit: int = 7
    cursor: str | None = None


@shape
def flattened():
    class Model(PageParams):
        query: str

    return Model


class Base(BaseModel):
    id: str


@shape
def flattened_required():
    class Model(Base):
        own: int

    return Model


@shape
def flattened_map():
    class Model(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int]
        id: str

    return Model


@shape
def flattened_any():
    class Model(BaseModel):
        model_config = ConfigDict(extra="allow")
        id: str

    return Model


class Result_(BaseModel, Generic[T]):
    value: T


SHAPES["generic_root"] = Page[Result_[bool]]


@shape
def read_only():
    class Model(BaseModel):
        a: int

    return Model


@shape
def root_list():
    class Model(RootModel[list[Documented]]):
        pass

    return Model


@shape
def root_newtype():
    class Model(RootModel[str]):
        pass

    return Model


class Sort(str, Enum):
    NEWEST = "newest"
    MOST_USED = "most_used"


@shape
def like_a_search():
    class Model(BaseModel):
        """Finds rows."""

        query: str = Field(min_length=1, max_length=200, description="What to look for")
        limit: int = Field(7, ge=1, le=100, description="Maximum rows")
        labels: list[str] = Field([], description="Only rows with one of these labels")
        since: datetime | None = Field(None, description="Rows that are newer")
        sort: Sort | None = None

    return Model


class Found(BaseModel):
    """One row found"""

    id: UUID
    title: str
    score: float
    labels: list[str]
    at: datetime
    author: Documented | None = None


@shape
def like_a_result():
    class Model(BaseModel):
        rows: list[Found]
        total: int
        next_cursor: str | None = None
        by_label: dict[str, int]

    return Model

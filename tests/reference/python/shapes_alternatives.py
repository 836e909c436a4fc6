"""Enums: lists of values, and alternatives with data."""
from enum import Enum, IntEnum
from typing import Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, RootModel

from shape import one, shape


def values(name, *values, doc=None):
    made = Enum(name, [(f"V{at}", value) for at, value in enumerate(values)], type=str)
    made.__doc__ = doc
    return made


Plain = values("Plain", "Red", "DarkGreen")
Snake = values("Snake", "red", "dark_green")
Kebab = values("Kebab", "red", "dark-green")
Screaming = values("Screaming", "RED", "DARK_GREEN")
Renamed = values("Renamed", "r", "größe")
Single = values("Single", "Only")
Documented = values("Documented", "Red", "Green", doc="What it is like")
Explained = values("Explained", "red", "green", doc="What it is like\n\n- `red`: As blood\n- `green`: As grass")
HalfExplained = values("HalfExplained", "red", "green", doc="- `green`: As grass")


class Level(IntEnum):
    LOW = 1
    HIGH = 5


Level.__doc__ = None


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class WireTransfer(BaseModel):
    kind: Literal["wire_transfer"]
    iban: str = Field(description="Where to")
    urgent: bool | None = None


class Cash(BaseModel):
    kind: Literal["cash"]


class Payment(RootModel[Annotated[Union[Card, WireTransfer, Cash], Field(discriminator="kind")]]):
    pass


class Cat(BaseModel):
    kind: Literal["Cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["Dog"]
    bark: str | None = Field(None, description="How loud")


class Pet(RootModel[Annotated[Union[Cat, Dog], Field(discriminator="kind")]]):
    pass


def plain_animals():
    class Cat(BaseModel):
        lives: int

    class Dog(BaseModel):
        bark: str | None = Field(None, description="How loud")

    return Cat, Dog


PlainCat, PlainDog = plain_animals()


class Number(BaseModel):
    t: Literal["Number"]
    c: int


class Animal(BaseModel):
    t: Literal["Animal"]
    c: PlainCat


class Nothing(BaseModel):
    t: Literal["Nothing"]


class Adjacent(RootModel[Annotated[Union[Number, Animal, Nothing], Field(discriminator="t")]]):
    pass


class Either(RootModel[int | str]):
    pass


class EitherRef(RootModel[Union[PlainCat, PlainDog]]):
    pass


class Point(BaseModel):
    x: int
    y: int


class Named(BaseModel):
    name: str


class EitherStruct(RootModel[Union[Point, Named]]):
    pass


class Row(BaseModel):
    id: int


class Mixed(RootModel[Union[str, list[str], Row, None]]):
    pass


class Said(RootModel[float | bool]):
    """One of several"""


def external():
    class Round(BaseModel):
        radius: float

    class CircleCase(BaseModel):
        model_config = ConfigDict(extra="forbid")
        Circle: Round

    class SquareCase(BaseModel):
        model_config = ConfigDict(extra="forbid")
        Square: float

    class External(RootModel[Union[Literal["Nothing"], CircleCase, SquareCase]]):
        pass

    return External


External = external()

one("enum_plain", Plain)
one("enum_snake", Snake)
one("enum_kebab", Kebab)
one("enum_screaming", Screaming)
one("enum_renamed", Renamed)
one("enum_single", Single)
one("enum_documented", Documented)
one("enum_explained", Explained)
one("enum_half_explained", HalfExplained)
one("enum_inline", Literal["asc", "desc"])
one("enum_inline_opt", Literal["asc", "desc"] | None, None)
one("enum_inline_list", list[Literal["asc", "desc"]])
one("enum_number", Level)
one("enum_opt", Snake | None, None)
one("enum_opt_explained", Explained | None, None)
one("enum_list", list[Snake])
one("enum_map", dict[str, Snake])
one("enum_described", Snake, Field(description="Which one"))
one("enum_deprecated", Snake, Field(deprecated=True))
one("union_tagged", Payment)
one("union_tagged_opt", Payment | None, None)
one("union_tagged_list", list[Payment])
one("union_tagged_map", dict[str, Payment])
one("union_tagged_newtype", Pet)
one("union_tagged_described", Pet, Field(description="Which animal"))
one("union_adjacent", Adjacent)
one("union_untagged", Either)
one("union_untagged_opt", Either | None, None)
one("union_untagged_list", list[Either])
one("union_untagged_refs", EitherRef)
one("union_untagged_structs", EitherStruct)
one("union_untagged_mixed", Mixed)
one("union_untagged_said", Said)
one("union_external", External)
one("union_external_list", list[External])


@shape
def union_and_its_parts():
    class PetCat(BaseModel):
        kind: Literal["Cat"]
        lives: int

    class Pet(RootModel[Annotated[Union[PetCat, Dog], Field(discriminator="kind")]]):
        pass

    class Model(BaseModel):
        pet: Pet
        cat: PlainCat

    return Model


@shape
def union_twice():
    class Model(BaseModel):
        first: Payment
        second: Payment | None = None
        either: Either

    return Model


@shape
def union_of_unions():
    class Paid(BaseModel):
        type: Literal["paid"]
        how: Payment

    class Open(BaseModel):
        type: Literal["open"]
        items: list[str]

    class Order(RootModel[Annotated[Union[Paid, Open], Field(discriminator="type")]]):
        pass

    class Model(BaseModel):
        order: Order

    return Model


@shape
def union_strict():
    class Circle(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["Circle"]
        radius: float

    class Square(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["Square"]
        side: float

    class Shape(RootModel[Annotated[Union[Circle, Square], Field(discriminator="kind")]]):
        pass

    class Model(BaseModel):
        shape: Shape

    return Model


@shape
def union_documented():
    class Circle(BaseModel):
        """Round"""

        kind: Literal["circle"]
        radius: float

    class Square(BaseModel):
        """Not round"""

        kind: Literal["square"]
        side: float

    class Shape(RootModel[Annotated[Union[Circle, Square], Field(discriminator="kind")]]):
        """A drawing"""

    class Model(BaseModel):
        shape: Shape

    return Model


@shape
def union_of_one():
    class Circle(BaseModel):
        kind: Literal["circle"]
        radius: float

    class Shape(RootModel[Circle]):
        pass

    class Model(BaseModel):
        shape: Shape

    return Model


@shape
def root_tagged():
    class Circle(BaseModel):
        kind: Literal["circle"]
        radius: float

    class Square(BaseModel):
        kind: Literal["square"]
        side: float

    class Model(RootModel[Annotated[Union[Circle, Square], Field(discriminator="kind")]]):
        pass

    return Model


@shape
def root_untagged():
    class Model(RootModel[str | list[str]]):
        pass

    return Model


@shape
def root_enum():
    return RootModel[values("Model", "Red", "Green", doc="A colour")]

"""The JSON of requests and answers; a kind that is nearly right, such as true for 1, is refused."""

import re
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from recsys_gru.serving.refusal import RefusedError

MOST_K, MOST_ITEMS, MOST_LISTED, MOST_COLUMNS = 500, 1000, 10_000, 64
LONGEST_ID = 256
TOLD = 5
"""Mistakes of a request that are told."""

DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")

NumberId = Annotated[int, Field(ge=-(2**63), lt=2**63)]
TextId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]
ItemId = NumberId | TextId
K = Annotated[int, Field(ge=1, le=MOST_K, description="Items wanted.")]
Which = Literal["main", "beside"]
Label = bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | TextId
Moment = Annotated[
    dict[TextId, Label | None] | None,
    Field(
        max_length=MOST_COLUMNS,
        description="What is known about the moment of the last click, by the names that the model knows.",
    ),
]


def _written(time: object) -> object:
    """A time that is written out: pydantic would read "5" as five seconds after 1970."""
    if not isinstance(time, str) or not DATE.match(time):
        raise ValueError("expected ISO 8601 with a zone, such as 2026-01-31T13:00:00Z")
    return time


class Strict(BaseModel):
    """Of the kinds that stand here and no others, without further fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Recommend(Strict):
    """What may follow a session: that of `items`, or the one kept as `session_id`; neither: a new visitor."""

    items: Annotated[
        list[ItemId] | None, Field(max_length=MOST_ITEMS, description="The session's clicks, oldest first.")
    ] = None
    session_id: Annotated[TextId | None, Field(description="A session whose clicks the service keeps.")] = (
        None
    )
    k: K = 20
    exclude_seen: Annotated[bool, Field(description="Leave out the items of the session itself.")] = True
    allow: Annotated[list[ItemId] | None, Field(max_length=MOST_LISTED, description="Only these items.")] = (
        None
    )
    deny: Annotated[list[ItemId] | None, Field(max_length=MOST_LISTED, description="Never these items.")] = (
        None
    )
    model: Annotated[Which, Field(description="Which of two models answers, where there are two.")] = "main"
    context: Moment = None
    names: Annotated[bool, Field(description="Tell what people call the items, where that is known.")] = False


class Click(Strict):
    """A click of a session, now or at a time that is to be believed by the service's clock."""

    item_id: ItemId
    time: Annotated[
        Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)] | None,
        Field(description="ISO 8601 with a zone; the time of arrival if not given."),
    ] = None
    consent: Annotated[
        bool, Field(description="Without it nothing is kept, and only this click is answered.")
    ] = True
    context: Moment = None


class Item(Strict):
    """A recommended item; of a popular one the score is its share of clicks."""

    item_id: ItemId
    score: float
    source: Annotated[
        Literal["facts"] | None,
        Field(description="There where nobody has clicked the item yet, and facts alone tell of it."),
    ] = None
    name: Annotated[
        str | None, Field(description="What people call it; there where names were asked for.")
    ] = None


class Answer(Strict):
    """Recommended items, best first."""

    items: list[Item]
    source: Annotated[
        Literal["model", "recent", "popularity"],
        Field(description="What answered: recent clicks and popularity stand in where no item is known."),
    ]
    model_version: str
    known: Annotated[int, Field(description="Clicks of the session on items that the model knows.")]
    unknown: Annotated[int, Field(description="Clicks on items that it does not know, left out.")]
    context: Annotated[
        list[str] | None,
        Field(description="Of the context that was sent, what the model knows and used."),
    ] = None


class Similar(Strict):
    """Items like one item, best first."""

    items: list[Item]
    model_version: str


class Named(Strict):
    """An item and what people call it."""

    item_id: ItemId
    name: str | None


class Found(Strict):
    """Items of an id or a name that was looked for, best first."""

    items: list[Named]
    model_version: str


class Trouble(Strict):
    """Why there is no answer."""

    error: str


Body = TypeVar("Body", bound=Strict)


def parsed(kind: type[Body], body: bytes) -> Body:
    """A request out of its bytes.

    Raises:
        RefusedError: 422 with the first mistakes.

    >>> try:
    ...     parsed(Recommend, b'{"items": [true]}')
    ... except RefusedError as error:
    ...     print(error)
    items.0: Input should be a valid integer; items.0: ...
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        said = [
            f"{_place(one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        more = f"; and {len(said) - TOLD} more" if len(said) > TOLD else ""
        raise RefusedError(422, "; ".join(said[:TOLD]) + more) from None


def _place(found: tuple[int | str, ...]) -> str:
    """Where a mistake is, without pydantic's own names for the kinds that an id may be of."""
    return ".".join(str(part) for part in found if not str(part).startswith("constrained-")) or "body"


def moment(time: datetime | None, now: float) -> float:
    """Seconds since 1970 of a click."""
    return now if time is None else time.timestamp()

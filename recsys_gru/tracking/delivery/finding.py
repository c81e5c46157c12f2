"""How a name is asked for in MLflow's query language, which has no way to write some of them."""

import re

_PLAIN = re.compile(r"[\w .:/@+,=-]+", re.ASCII)


def is_value(field: str, value: str) -> str:
    """A condition that every record with this value meets; whoever asks compares the value itself again.

    Quotes, backslashes and the like cannot be written in a query: any one character stands in their place.

    >>> is_value("tags.`who`", "ann"), is_value("tags.`who`", "o'neil")
    ("tags.`who` = 'ann'", "tags.`who` like 'o_neil'")
    """
    if _PLAIN.fullmatch(value):
        return f"{field} = '{value}'"
    return f"{field} like '{anything_odd(value)}'"


def anything_odd(value: str) -> str:
    """The value with ``_``, which stands for any one character, in place of each that is not plain.

    >>> anything_odd('50% "off"')
    '50_ _off_'
    """
    return "".join(one if _PLAIN.fullmatch(one) else "_" for one in value)

"""Files that others may have written: opened, read and checked before anything in them is believed.

In it: regular (open a file, no pipe or folder; sync), checked_json, arrays (heads of safetensors), layout
(which arrays a model says it has), places (folders of this machine or of an object store). Used by whatever
reads a saved thing. It must never import another room.
"""

from recsys_gru.files.arrays import ArrayHead, arrays_in, arrays_of, heads_in, heads_of, write_arrays
from recsys_gru.files.checked_json import Kind, require_kind, strict_json
from recsys_gru.files.layout import Field, Layout, require_shapes, require_values
from recsys_gru.files.places import (
    Place,
    Url,
    absolute,
    at_hand,
    drop,
    exists,
    fetch,
    first_bytes,
    inside,
    is_whole,
    names_in,
    objects_in,
    place_at,
    read_text,
    remove,
    send,
    whole,
    wholes,
    write_text,
    written,
)
from recsys_gru.files.regular import content_of, link, opened, read_file, sync

__all__ = [
    "ArrayHead",
    "Field",
    "Kind",
    "Layout",
    "Place",
    "Url",
    "absolute",
    "arrays_in",
    "arrays_of",
    "at_hand",
    "content_of",
    "drop",
    "exists",
    "fetch",
    "first_bytes",
    "heads_in",
    "heads_of",
    "inside",
    "is_whole",
    "link",
    "names_in",
    "objects_in",
    "opened",
    "place_at",
    "read_file",
    "read_text",
    "remove",
    "require_kind",
    "require_shapes",
    "require_values",
    "send",
    "strict_json",
    "sync",
    "whole",
    "wholes",
    "write_arrays",
    "write_text",
    "written",
]

"""Files that others may have written: opened, read and checked before anything in them is believed.

In it: regular (open a file, no pipe or folder; sync), checked_json, arrays (heads of safetensors), layout
(which arrays a model says it has). Used by whatever reads a saved thing. It must never import another room.
"""

from recsys_gru.files.arrays import ArrayHead, arrays_of, heads_in, heads_of, parts_of
from recsys_gru.files.checked_json import Kind, require_kind, strict_json
from recsys_gru.files.layout import Field, Layout, require_shapes, require_values
from recsys_gru.files.regular import content_of, link, opened, read_file, sync

__all__ = [
    "ArrayHead",
    "Field",
    "Kind",
    "Layout",
    "arrays_of",
    "content_of",
    "heads_in",
    "heads_of",
    "link",
    "opened",
    "parts_of",
    "read_file",
    "require_kind",
    "require_shapes",
    "require_values",
    "strict_json",
    "sync",
]

"""What is known about items: facts read, checked, and turned into labels and numbers.

In it: items (an items file or frame at the door), kinds (what a column is), words (texts of any language),
columns (one column learned and coded), encoding (all of them, saved with a model), moments (labels of the
moments of clicks). Used by the contract, the recommender and the command line. It must never import a model,
torch, or what ranks and measures.
"""

from recsys_gru.facts.encoding import Encoding, ItemFacts
from recsys_gru.facts.items import CheckedItems, ItemsData, check_items, shuffle_facts
from recsys_gru.facts.moments import Context, Moments

__all__ = [
    "CheckedItems",
    "Context",
    "Encoding",
    "ItemFacts",
    "ItemsData",
    "Moments",
    "check_items",
    "shuffle_facts",
]

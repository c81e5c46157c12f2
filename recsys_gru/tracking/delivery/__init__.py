"""How what a run is told reaches the store: on disk first, sent in the background, its run found by a ticket.

In it: ``runs``, that are told, and the ``records`` of it; ``outbox`` and ``notebook``, where these wait;
``courier``, who carries them; ``desk`` and ``store``, where they arrive; ``process`` and ``abandoned``, who
works on a run and whether that one still lives; ``facts``, what else its result depends on.

Used by the files of ``recsys_gru.tracking``. It must never import them, and of the library's other rooms
only sessions and errors: it knows no model, no evaluation and no search.
"""

from recsys_gru.tracking.delivery.courier import Courier
from recsys_gru.tracking.delivery.desk import Desk
from recsys_gru.tracking.delivery.finding import is_value
from recsys_gru.tracking.delivery.notebook import Notebook
from recsys_gru.tracking.delivery.outbox import Outbox, Target
from recsys_gru.tracking.delivery.process import PROCESS, address, dead
from recsys_gru.tracking.delivery.records import PARENT, RUN_ID, Taker, as_text, named
from recsys_gru.tracking.delivery.runs import LastingRun, Run, lasting_run
from recsys_gru.tracking.delivery.store import EXPERIMENT, Store, connect, store_at

__all__ = [
    "EXPERIMENT",
    "PARENT",
    "PROCESS",
    "RUN_ID",
    "Courier",
    "Desk",
    "LastingRun",
    "Notebook",
    "Outbox",
    "Run",
    "Store",
    "Taker",
    "Target",
    "address",
    "as_text",
    "connect",
    "dead",
    "is_value",
    "lasting_run",
    "named",
    "store_at",
]

"""How a record reaches the store: kept on disk first, told in the background, and found again by its ticket.

In it: the store (``store``, ``desk``), what is told to it (``records``), where that waits (``outbox``,
``notebook``), who carries it (``courier``), runs that are told at once (``lasting``), and which process, code
and data a run is of (``process``, ``abandoned``, ``facts``).

Its callers are the files of ``recsys_gru.tracking``, and nobody else. It imports none of them, and of the
library's other rooms only clicks and errors: it knows no model, no evaluation and no search.
"""

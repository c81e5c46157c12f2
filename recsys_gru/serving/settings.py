"""How a service is set up."""

from dataclasses import dataclass
from pathlib import Path

from recsys_gru.arguments import whole_number
from recsys_gru.errors import ParameterError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """What a service is told when it starts.

    Attributes:
        model: a saved model's folder, the `current.json` that `fresh` publishes, or `models:/NAME@ALIAS`.
        beside: a second model, for comparisons on the page; as `model`.
        tracking_uri: the store of the registry.
        items: file of facts about items, which are added to each model before it serves; it is looked at as
            often as the model. A model without facts is told their names.
        items_name: its column of what people call the items; None for one with a usual name.
        host, port: where it listens; nothing but this machine is answered by default.
        hosts: names by which it may be asked besides those of this machine; where it listens to others than
            this machine and none is given, by any. A page elsewhere whose name was made to point here asks by
            that name.
        token: what clients must send as bearer token; None for no such check.
        batch: requests answered in one pass at most.
        queue: requests that wait at most; further ones are refused with 503.
        deadline: seconds after which a request that has waited is refused.
        body: bytes of a request's body at most.
        slow: seconds that a client may take to send its request.
        sessions: "none", "memory", or the `redis://` of a server that holds the sessions' clicks.
        session_ttl: seconds without a click after which a session is forgotten.
        session_items: clicks kept of a session, the newest ones.
        most_sessions: kept in memory; those longest without a click go first.
        states: megabytes at most for what the model has made of these sessions, so that a click is one step
            of it; 0 for none. Sessions longest without a click do without.
        clicks: folder of the click log; None for none.
        every: length of the periods in which the log is cut, as `fresh.every` is.
        watch: seconds between two looks for a new model.
        drain: seconds for the last requests when the service is told to end.
        workers: processes that share the port, each with the model in its memory; best one a core.
    """

    model: str
    beside: str | None = None
    tracking_uri: str = "mlruns"
    items: Path | None = None
    items_name: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    token: str | None = None
    batch: int = 64
    queue: int = 1024
    deadline: float = 2.0
    body: int = 262_144
    slow: float = 10.0
    sessions: str = "none"
    session_ttl: float = 1800.0
    session_items: int = 200
    most_sessions: int = 1_000_000
    states: int = 64
    clicks: Path | None = None
    every: str = "1h"
    watch: float = 10.0
    drain: float = 20.0
    workers: int = 1

    @property
    def is_local(self) -> bool:
        """Whether nothing but this machine is answered."""
        return self.host in LOOPBACK

    @property
    def known_as(self) -> frozenset[str] | None:
        """The names by which it may be asked; None for any."""
        if not self.hosts and not self.is_local:
            return None
        return frozenset((*LOOPBACK, *(host.lower() for host in self.hosts)))

    def __post_init__(self) -> None:
        """Raise ParameterError at the first impossible value."""
        for name in ("batch", "queue", "body", "session_items", "most_sessions", "workers"):
            whole_number(name, getattr(self, name), 1)
        whole_number("states", self.states, 0)
        for name in ("deadline", "slow", "session_ttl", "watch", "drain"):
            if not getattr(self, name) > 0:
                raise ParameterError(f"expected {name} as seconds above 0, got {getattr(self, name)!r}")
        if self.items_name is not None and self.items is None:
            raise ParameterError("expected an items file whose column holds the names: --items FILE")
        if self.token is not None and not self.token.strip():
            raise ParameterError("expected a token that is no blank text, or none at all")
        if self.workers > 1 and self.sessions == "memory":
            raise ParameterError(
                "expected sessions=none or a Redis server for several workers: none knows another's memory"
            )
        if self.sessions not in ("none", "memory") and not self.sessions.startswith(
            ("redis://", "rediss://")
        ):
            raise ParameterError(
                f"expected sessions as none, memory or redis://HOST:PORT, got {self.sessions!r}"
            )

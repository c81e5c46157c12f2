"""The steps of a night, a file each, and what several of them ask: which model serves, the day's MLflow run.

Used by everything at the top. A stage must never import a later one, nor anything of the top; only `promote`
asks the gate.
"""

from ..plumbing.workshop import Stage
from .evaluate import evaluate
from .ingest import ingest
from .promote import promote
from .recommend import recommend
from .record import record
from .sessions import sessions
from .train import train

STAGES: dict[str, Stage] = {
    stage.name: stage for stage in (ingest, sessions, train, evaluate, promote, recommend, record)
}
"""The stages in their order, by the names that they have everywhere."""

"""What a log looks like: its figures, and the page that shows them.

In it: profile (the figures), page (what shows them), describe (both, into a folder). Used by the command
line. It must never import a model, torch, or anything that fits or measures.
"""

from recsys_gru.exploration.describe import describe
from recsys_gru.exploration.profile import Profile, profile_clicks

__all__ = ["Profile", "describe", "profile_clicks"]

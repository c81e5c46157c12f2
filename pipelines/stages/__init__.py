"""The steps of a night, a file each, and what several of them ask: which model serves (`champion`).

Used by everything at the top. A stage must never import a later one, nor anything of the top; only `promote` asks
the gate.
"""

"""Between the nights: the serving model learns each period once, and is published if the guard lets it.

In it, in the order in which they may know each other: ``take`` (a period's clicks come into the store),
``stream`` (the model that learns), ``learn`` (clicks are foretold, then learned), ``guard``, ``tell`` (lists,
curves), ``alias`` (MLflow's), ``measure``, ``job``, ``watch`` (the job that stays). Used by the command line,
the schedule and the status. It asks the night's stages for what both do; these never import it.
"""

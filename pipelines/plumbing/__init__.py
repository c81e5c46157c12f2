"""What every stage stands on: settings, the workshop that keeps results, lock, log, errors, alert.

Used by the stages and by the top; must never import either.
"""

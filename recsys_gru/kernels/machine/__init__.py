"""What makes and drives machine code: the door to numba, vector instructions, prefetch, threads, their pace.

Used by the loops beside it, and by the few that say how many threads work. It must never import them.
"""

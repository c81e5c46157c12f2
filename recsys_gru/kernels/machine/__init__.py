"""What makes and drives machine code: the door to numba, vector instructions, prefetch, threads, their pace.

In it: jit, simd, prefetch, threads, pace. Used by the loops beside it, and by the few that say how many
threads work. It must never import a loop.
"""

"""Every compiled loop, and what compiles it and shares it out among threads.

In it: a file of the name of what it serves: losses, gru, rows, products, step (a whole update) for the model;
candidates, sampling, dropout, lanes for training; tiles, scores, coarse, roughly, shortlists for ranking;
neighbors, sparse for the baselines; order, rules, packing for clicks. `machine/` has the door to numba,
vector code, threads. Each loop's docstring names the formula it computes and the slow twin that a test holds
it to. Used by the rooms above, which read like the papers without it. It must never import another room: it
knows arrays only.
"""

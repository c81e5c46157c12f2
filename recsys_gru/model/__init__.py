"""The network as in the papers: cells, losses and their gradients, candidates, sampling, dropout, optimisers.

In it: network (forward and back through a window), cells, losses, gradients, candidates, sampling, dropout,
rows, optimisers. Used by training and the recommender; torch and item numbers only. It must never import
Polars, an item's id, or anything of a session's file.
"""

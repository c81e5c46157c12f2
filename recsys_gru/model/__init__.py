"""The network in small parts: cells, losses, sampling, optimisers, and their loops; item numbers, no ids."""

"""Learned priors: networks that are trained on many images beforehand, and the files that their weights ship in.

A network of this room takes A, y and what it learned; the truth of a case never reaches it. The methods that use one
stand in `methods/`, the scripts that train them in the folder `data/` of the repository.
"""

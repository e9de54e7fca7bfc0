"""One tag, one owner: renamed, swapped, adopted and handed over, over HTTP."""

"""`python -m aseqdip_lite` is the command `aseqdip`."""

import importlib.machinery
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # python -m puts the working directory first: a file random.py there would be run
        folder = sys.path.pop(0)
        if importlib.machinery.PathFinder.find_spec("aseqdip_lite") is None:
            sys.path.insert(0, folder)  # a clone that is not installed: the package lies there
    from aseqdip_lite.course.commands import main

    main(prog_name="aseqdip")

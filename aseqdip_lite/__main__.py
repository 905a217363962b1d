"""`python -m aseqdip_lite` is the command `aseqdip`."""

from .course.commands import main

if __name__ == "__main__":
    main(prog_name="aseqdip")

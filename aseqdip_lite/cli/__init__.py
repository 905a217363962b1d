"""The command line `aseqdip`."""

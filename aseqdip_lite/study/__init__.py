"""Many runs: sweeps over processes, comparisons of methods, their statistics and tables."""

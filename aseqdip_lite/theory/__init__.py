"""Theory that runs: each statement computed, and checked against trained networks.

| module | what it holds | source |
|---|---|---|
| `nets` | the 1D convolutional networks of the experiments, networks as functions of their weights | seed 002, A.1 |
| `ntk` | the neural tangent kernel Theta = J J^T: as a matrix, as an operator on images, its eigenvalues | Eq. 14 |
| `descent` | the 1D denoising problem, and gradient descent on it | A.2, Eq. 7 |
| `residual` | Theorem A.1: predicted against trained trajectories over widths, and in expectation | Eq. 12-16 |
| `limits` | what breaks the prediction: step size, the kernel's movement, Adam | this project |
| `overfitting` | experiment A.2 (F6): when the noise is learned, by input | Fig. 6 |
| `dynamics` | aSeqDIP's own stages, linearised: proximal point, momentum form, exact statements | this project |
| `spectral` | spectral bias and the kernel's limit under undersampling | Self-Guided DIP |
| `figures` | one figure for each `measure` of the modules above | |

Signals of the 1D experiments are (1, c, n) float64 tensors, images (1, C, H, W). A network enters as
a pair (f, params): f(params, z) is its output and a pure function of both, `params` a dictionary of
tensors. Theta is always the kernel of the sum of squares without a factor: one step of gradient descent
on 1/2 ||f - y||^2 with rate beta moves the output by -beta Theta (f - y), to first order in beta.

Nothing is imported here, so that `aseqdip --help` does not wait for torch.
"""

"""Theory that runs: each statement computed, and checked against trained networks.

| module | what it holds | source (of the aSeqDIP paper where none is named) |
|---|---|---|
| `nets` | the 1D convolutional networks of the experiments, networks as functions of their weights | Appendix A.1 |
| `ntk` | the neural tangent kernel Theta = J J^T: as a matrix, as an operator on images, its eigenvalues | Eq. 14 |
| `descent` | the 1D denoising problem, and gradient descent on it | A.2, Eq. 7 |
| `residual` | Theorem A.1: predicted against trained trajectories over widths, and in expectation | Eq. 12-16 |
| `limits` | what breaks the prediction: step size, the kernel's movement, Adam | this project |
| `overfitting` | experiment A.2 (F6): when the noise is learned, by input | Fig. 6 |
| `dynamics` | aSeqDIP's own stages, linearised: proximal point, momentum form, exact statements | this project |
| `stages` | these formulas against trained networks: what holds within a stage and fails across stages | this project |
| `grid`, `verdict` | does lam delay overfitting? A grid of runs on images, and what it says | paper, section 3.2.1 |
| `path` | share of the noise against what is missing of the picture, stage by stage (L1) | this project |
| `friction` | how lam, N and rho act together: N (1 + lam) / rho; what it assumes (W1, W3) | this project |
| `peaks`, `shares` | runs to their peak, and what explains the peak on an image left out (W1 to W3) | this project |
| `gains` | gains of picture and noise under the untrained kernel at a moving input (W2) | this project |
| `spectral` | where gradient descent ends under a fixed kernel and undersampling | Self-Guided DIP, theorem 1 |
| `square_wave` | Deep Decoder and wide CNN on Fourier samples (G1) | Self-Guided DIP, Fig. 1 |
| `bands` | which frequencies are learned first (G2) | Self-Guided DIP, Fig. 2 |
| `guidance` | the denoising term of Self-Guided DIP (G3) | Self-Guided DIP, Fig. 3 |
| `learned_input` | how a learned input becomes an image (G4) | Self-Guided DIP, Fig. 4 |
| `autoencoder` | a trained autoencoder as reconstructor (F7) | Appendix B |
| `priors` | images unlike the training; what exact samples of a posterior are like (lesson 16) | this project |
| `figures`, `figures_dynamics` | figures of what the modules above measure, where they do not draw their own | |

Signals of the 1D experiments are (1, c, n) float64 tensors, images (1, C, H, W). A network enters as
a pair (f, params): f(params, z) is its output and a pure function of both, `params` a dictionary of
tensors. Theta is always the kernel of the sum of squares without a factor: one step of gradient descent
on 1/2 ||f - y||^2 with rate beta moves the output by -beta Theta (f - y), to first order in beta.

Nothing is imported here, so that `aseqdip --help` does not wait for torch.
"""

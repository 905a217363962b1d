"""PSNR and SSIM on images as displayed (scikit-image), and the residual of the data, which needs no truth.

PSNR and SSIM are computed in units of the data range, since squares and fourth powers of MRI scans would leave single
precision. scikit-image is imported at the first measurement, as it takes half a second.
"""

import numpy as np
import torch


def psnr(image, truth, data_range):
    """Peak signal to noise ratio in dB, 10 log10(data_range^2 / MSE); infinite for equal images.

    image, truth: (H, W) or (H, W, 3) arrays of one unit; data_range: peak value in that unit.
    """
    from skimage.metrics import peak_signal_noise_ratio
    with np.errstate(divide="ignore"):  # equal images
        return float(peak_signal_noise_ratio(truth / data_range, image / data_range, data_range=1.0))


def ssim(image, truth, data_range):
    """Structural similarity in [-1, 1] with the Gaussian window (sigma 1.5) of Wang et al., 2004.

    The peak is `data_range`, that of the one image; channels are averaged. fastMRI's SSIM is another number: a flat
    window of 7 x 7 pixels, and the largest value of the whole volume as the peak (Zbontar et al., 2018).
    """
    from skimage.metrics import structural_similarity
    return float(structural_similarity(truth / data_range, image / data_range, data_range=1.0,
                                       gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                       channel_axis=-1 if truth.ndim == 3 else None))


@torch.no_grad()
def residual(A, y, image):
    """Relative data residual ||A x - y|| / ||y||: 0 for an image that explains y, 1 for an image of zeros.

    A: `Operator`; y: (1, *A.out_shape); image: x of shape (1, *A.in_shape) in the units of y.
    """
    return float((A(image) - y).norm() / y.norm())

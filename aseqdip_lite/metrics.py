"""PSNR and SSIM on images as displayed (scikit-image).

Both are computed in units of the data range: MRI scans come in units so small that squares and
fourth powers would leave single precision.
"""

from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def psnr(image, truth, data_range):
    """Peak signal to noise ratio in dB, 10 log10(data_range^2 / MSE); infinite for equal images.

    image, truth: (H, W) or (H, W, 3) arrays of one unit; data_range: peak value in that unit.
    """
    return float(peak_signal_noise_ratio(truth / data_range, image / data_range, data_range=1.0))


def ssim(image, truth, data_range):
    """Structural similarity in [-1, 1] with the Gaussian window (sigma 1.5) of Wang et al., 2004."""
    return float(structural_similarity(truth / data_range, image / data_range, data_range=1.0,
                                       gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                       channel_axis=-1 if truth.ndim == 3 else None))

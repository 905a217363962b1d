"""Friction: how lam, N and a damped input act together, and through what one number.

From (3) and (4) of `dynamics` with A = I and a network that hands on its input (G = I). In the direction of an
eigenvector of Theta with eigenvalue theta the error e_k = z_k - y obeys

    e_k - e_{k-1} = (1 - a) (e_{k-1} - e_{k-2}) - rho a / (1 + lam) e_{k-1},    a = 1 - (1 - 2 beta theta (1 + lam))^N

(`dynamics.mode_roots`): a damped spring. A stage takes the share a of the velocity away, and the pull to y adds
rho a / (1 + lam) of the distance. lam and N enter in two ways, and the product P = N (1 + lam) is in both.

* The share a. For 2 beta theta (1 + lam) well below 1 it is 1 - exp(-2 beta theta P): equal P, equal friction a stage.
  (1 + lam makes the step of the network larger, N makes more of them.)
* The pace. Where friction wins, a mode goes home without a swing. With a near 1 its error shrinks by the share
  c = rho / (1 + lam) each stage, whatever theta is: for small c by a factor e in N / c = P / rho steps (`pace`).

So two settings with one P take about the same time over the same modes, and a damped input with rho = 1 / 2 is as slow
as twice the P. What P does not fix: a mode swings unless a >= 4 c / (1 + c)^2 (`critical`). With lam = 0 and rho = 1
that bar is 1, and no mode is beyond it; the larger lam or the smaller rho, the more are. So of two settings with one P
the one with the larger lam has more friction, and for a large N with lam = 0 the law should break first.

What it assumes. (i) Theta stands still within the time that counts, G = I. (ii) Small steps, for a. (iii) Gradient
descent: Adam divides each gradient by its own size, so that a factor of the whole loss does nothing, and adds a
momentum of its own. (iv) A = I. For a general A the same holds in each common eigenvector of Theta and A^H A, if they
have common ones, with s the eigenvalue of A^H A: a = 1 - (1 - 2 beta theta (s + lam))^N, pull rho a s / (s + lam).
Measured directions of a mask have s = 1, as above. In the null space s = 0: there is no pull, the friction is that of
N lam alone, and at lam = 0 nothing brakes. So in MRI the law must break at lam = 0, unless the swap (G is not I) or the
network's bias does what lam would.

None of this says that the better image is the slower one. Experiment W1 asks that of trained networks.
"""

from .dynamics import mode_roots


def product(lam, N, rho=1.0):
    """P / rho = N (1 + lam) / rho, by which settings are compared."""
    return N * (1 + lam) / rho


def lost(theta, lam, N, beta, s=1.0):
    """The share a of its velocity that a mode loses in a stage; s is its eigenvalue of A^H A."""
    return 1 - (1 - 2 * beta * theta * (s + lam)) ** N


def critical(lam, N, beta, rho=1.0):
    """The eigenvalue theta above which a mode no longer swings, for A = I and G = I: there a = 4 c / (1 + c)^2."""
    c = rho / (1 + lam)
    return (1 - (1 - 4 * c / (1 + c) ** 2) ** (1 / N)) / (2 * beta * (1 + lam))


def pace(theta, lam, N, beta, rho=1.0):
    """Steps in which a mode's error shrinks by a factor e in the end, from the larger of its two roots."""
    return float(-N / mode_roots(theta, 1.0, lam, N, beta, rho).abs().max().log())

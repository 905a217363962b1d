"""Exercises of lesson 06b: what a decibel of a gain is worth, settings of one friction, the price of a pace."""

import math

from .table import exercise


@exercise("why.noise", [(14.0, 0.9), (19.0, 0.5), (3.0, 0.75), (-6.0, 0.5)], (
    "first find beta theta t of the picture from s, then divide it by the quotient of the gains, 10^(R / 10)"))
def noise(R, s):
    """A function (R, s) -> share of the noise learned by the time that the share s of the picture is, at R dB."""
    quotient = 10 ** (-R / 10)  # of the noise's gain to the picture's

    def learned(power):
        return 1 - (1 - s) ** power

    return {
        None: learned(quotient),
        "your conversion from decibels is wrong: R dB are the quotient 10^(R / 10)": [learned(math.exp(-R / 10)),
                                                                                 learned(1 / R)],
        "10^(R / 20) is for amplitudes; a gain is a quotient of squares": learned(10 ** (-R / 20)),
        "the picture is R dB faster, so the noise has the smaller eigenvalue": learned(1 / quotient),
        "shares are not learned in proportion: what is left falls by a power, e^(-beta theta t)": s * quotient,
        "your answer is what is left of the noise; return what has been learned": 1 - learned(quotient),
        "you took s for what is left of the picture: s is the share that has been learned": 1 - s**quotient,
    }


SAME = [(1.0, 2, 1), (1.0, 2, 4), (7.0, 1, 2), (0.0, 6, 4), (0.5, 2, 4), (15.0, 1, 4)]


@exercise("why.same", SAME, "solve M (1 + lam') = N (1 + lam) for lam'; a weight below 0 does not count")
def same(lam, N, M):
    """A function (lam, N, M) -> the weight that has with stages of M steps the P of (lam, N), or None."""
    other = N * (1 + lam) / M - 1
    return {
        None: other if other >= 0 else None,
        "a weight below 0 rewards the output for leaving the input: there is no such setting, return None": other,
        "with lam' = 0 the new P is already M: if M is above N (1 + lam), no weight fits, so return None":
            max(other, 0.0),
        "your answer is 1 + lam': subtract 1": N * (1 + lam) / M,
        "P = N (1 + lam), not N lam: at lam = 0 there is friction as well": N * lam / M,
        "the stages are swapped: longer stages need a smaller weight": [max(M * (1 + lam) / N - 1, 0.0),
                                                                         M * (1 + lam) / N - 1],
    }


@exercise("why.same:damped", SAME, "solve M / rho = N (1 + lam) for rho; a share above 1 does not count",
          instead="damp the input instead: the new setting has lam = 0 and stages of M steps. Return the rho with the "
                  "same P / rho as lam and N with rho = 1, or None if it would be above 1",
          solution="lambda lam, N, M: M / (N * (1 + lam)) if M <= N * (1 + lam) else None")
def same_damped(lam, N, M):
    """A function (lam, N, M) -> rho that has at lam = 0 with stages of M steps the P / rho of (lam, N, 1), or None."""
    rho = M / (N * (1 + lam))
    return {
        None: rho if rho <= 1 else None,
        "a rho above 1 makes the input overshoot, which is no damping: return None": rho,
        "even with rho = 1 the pace is too slow: return None where no rho up to 1 fits": min(rho, 1.0),
        "your answer is upside down: the more friction, the smaller rho": N * (1 + lam) / M,
        "that answers the lesson's own question: return a rho here": N * (1 + lam) / M - 1,
        "the pace of lam and N is N (1 + lam) steps, not N lam": lambda: M / (N * lam),
    }


@exercise("why.passes", [(7.0, 4, 1.0, 0.1), (15.0, 1, 1.0, 0.01), (0.0, 2, 0.25, 0.5), (3.0, 8, 0.5, 0.2),
                         (0.0, 10, 1.0, 0.1), (0.0, 2, 0.5, 0.25)], tol=1e-9, otherwise=(
    "count the stages first: the least whole k with (1 - rho / (1 + lam))^k <= left; each costs 3 N + 1 passes"))
def passes(lam, N, rho, left):
    """A function (lam, N, rho, left) -> passes until at most the share `left` of a mode's error remains."""
    kept, price = 1 - rho / (1 + lam), 3 * N + 1

    def stages(factor, share):
        return 1 if factor == 0 else math.ceil(math.log(share) / math.log(factor) - 1e-9)

    right = stages(kept, left)
    return {
        None: right * price,
        "your answer counts stages: each of them costs 3 N + 1 passes": right,
        "your answer counts Adam steps: a step costs three passes, and each stage costs one more": right * N,
        "a backward pass costs two, so a step costs three": right * (N + 1),
        "the fresh pass at the end of each stage is missing": right * 3 * N,
        "the fresh pass comes once per stage, not once in all": right * 3 * N + 1,
        "rho is missing: with damping the input takes only the share rho of its step at a swap":
            lambda: stages(1 - 1 / (1 + lam), left) * price,
        "c = rho / (1 + lam), not rho / lam": lambda: stages(1 - rho / lam, left) * price,
        "the error is multiplied by 1 - c each stage, not by c": lambda: stages(1 - kept, left) * price,
        "the remaining share is `left`, not 1 - left": lambda: stages(kept, 1 - left) * price,
        "a stage after which exactly the share `left` remains is enough: at most that share is asked for":
            (right + (kept**right == left)) * price,
        "a run consists of whole stages: round their number up before you multiply":
            lambda: price * math.log(left) / math.log(kept),
    }

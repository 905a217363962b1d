"""What makes a run this run and no other: a checkpoint of another one is refused."""

import hashlib

import numpy as np
import torch

from ..operators import Operator

#: What `describe` tells of a run's numbers, for nobody to read.
DIGESTS = ("measurements", "problem", "begin")


def describe(run, window):
    """What makes a run that has just begun this run, as a flat dictionary; the budget may grow and is left out, unless
    all steps are `planned` by it.

    Three digests stand for all numbers: measurements; problem: the operator, the truth and what else the case has;
    begin: the first input, which a named file may have given.
    """
    case, method, observation = run.case, run.method, run.case.observation
    settings = {key: value for key, value in method.to_dict().items() if method.planned or key != method.budget}
    problem = (observation.A, observation.scale, observation.noise_std, case.truth, case.data_range, case.window,
               case.crop, case.support, case.heldout, case.offset, case.paste)
    return dict(task=case.task, image=case.image, method=method.name, seed=run.seed, data_seed=case.seed, window=window,
                record_every=run.record_every, deterministic=torch.are_deterministic_algorithms_enabled(),
                **{f"{case.task} {key}": value for key, value in case.settings.items()},
                **{f"{method.name} {key}": value for key, value in settings.items()},
                measurements=digest(observation.y), problem=digest(problem),
                begin=digest((observation.start, getattr(run.carry, "z", None))))


def digest(value):
    """16 hexadecimal digits that tell apart numbers, texts, arrays, tensors, operators, networks and tuples of them."""
    hashed = hashlib.sha256()

    def take(part):
        if isinstance(part, torch.Tensor) and part.layout is torch.sparse_csr:
            take((part.crow_indices(), part.col_indices(), part.values()))
        elif isinstance(part, torch.Tensor):
            take(part.detach().cpu().resolve_conj().numpy())
        elif isinstance(part, np.ndarray):
            hashed.update(f"{part.dtype} {part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).data)
        elif isinstance(part, torch.nn.Module):
            take(list(part.state_dict().values()))
        elif isinstance(part, Operator):
            take([type(part).__name__, *(each for _, each in sorted(vars(part).items()))])
        elif isinstance(part, (tuple, list)):
            for each in part:
                take(each)
        elif part is None or isinstance(part, (int, float, complex, str)):
            hashed.update(f"{part!r};".encode())

    take(value)
    return hashed.hexdigest()[:16]

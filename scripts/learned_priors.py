"""The stored runs of lesson 16: a learned prior where it was trained and elsewhere, and with less training.

    python scripts/learned_priors.py                      the rows that are missing, some 10 minutes of one core
    python scripts/learned_priors.py --earlier FOLDER     in CT also with the weights of a shorter training

Rows go to `aseqdip_lite/results/lesson16.jsonl`, one for each part, problem and arm; a second call goes on. All at 96
pixels, the size of the training, with the default settings but for the weight of total variation in MRI, which is that
of T3. What T3 has is not run again: aSeqDIP, VarNet and total variation where VarNet was trained, aSeqDIP at 8x and on
the phantom. aSeqDIP, the slowest, runs on the first problem of a part alone, and in CT on both of the first part.

A FOLDER holds `denoiser-ct.npz` and `weights.json` as `python data/train_denoiser.py --kind ct --steps 2000 --out
FOLDER` writes them; the draws of a training do not depend on its length, so these are the first steps of a longer one.
"""

import time
from pathlib import Path

import click
import torch

from aseqdip_lite import load_case, metrics, reconstruct
from aseqdip_lite.course import RESULTS, stored
from aseqdip_lite.course.theory import priors
from aseqdip_lite.files import plain
from aseqdip_lite.images import load_image
from aseqdip_lite.learned import denoiser, sampling
from aseqdip_lite.learned.weights import facts, load_weights
from aseqdip_lite.methods import configure
from aseqdip_lite.methods.ddnm import DDNM
from aseqdip_lite.run.engine import iterate
from aseqdip_lite.study.store import Store, key

SIZE, COILS, SAMPLES = 96, 8, 4
INSIDE = ("brain-056", "brain-064", "brain-082", "brain-096")  #: the images of T3
TWO = INSIDE[::3]  #: of them, where a part has two
LESIONS = "lesions"

#: Part -> its problems: image, settings of the task, and the seed of the data. The first part is like the training.
MRI = {
    "as trained": [(name, {}, seed) for seed in range(3) for name in INSIDE],
    "other contrast": [(f"{name}, turned", {}, 0) for name in TWO],
    "other organ": [("abdomen", {}, seed) for seed in range(2)],
    "phantom": [("shepp-logan", {}, seed) for seed in range(2)],
    "8x": [(name, dict(acceleration=8.0), 0) for name in TWO],
    "equal spacing": [(name, dict(pattern="equispaced"), 0) for name in TWO],
    "points": [(name, dict(pattern="variable-density"), 0) for name in TWO],
    LESIONS: [(name, {}, 0) for name in TWO],
}
CT = {  # without noise, so no seed changes the data
    "CT, as trained": [("ct-brain-064", {}, 0), ("brain-096", {}, 0)],
    "CT, ellipses": [("shepp-logan", {}, 0)],
    "CT, other head": [("ct-head", {}, 0)],
    "CT, other organ": [("abdomen", {}, 0)],
    "CT, 18 views": [("ct-brain-064", dict(views=18), 0), ("brain-096", dict(views=18), 0)],
}
SLOW = ("other contrast", "other organ")  #: parts on whose first problem aSeqDIP runs
NAMES = ("part", "image", "problem", "seed", "arm")  #: what identifies a row


class Earlier(DDNM):
    """DDNM in CT with the denoiser that a folder holds."""

    folder = None

    def prior(self, observation):
        network = denoiser.Denoiser(denoiser.KINDS["ct"], facts("denoiser-ct", self.folder)["sd"])
        network = load_weights(network, "denoiser-ct", self.folder).requires_grad_(False)
        return sampling.Prior(network, sampling.unit_of(observation))


def image_of(name):
    """An image by its name, which may be that of one of `priors`."""
    if name == "abdomen":
        return priors.abdomen()
    image = load_image(name.removesuffix(", turned"))
    return priors.turned(image) if name.endswith(", turned") else image


def arms(task, part, first, earlier):
    """{arm: method} on a problem of a part, the `first` or another one."""
    found = {"DDNM": configure("ddnm", task, samples=SAMPLES)}
    if task == "ct":
        found |= {"TV": configure("tv", task), "VarNet": configure("varnet", task)}
        if first or part == "CT, as trained":
            found["aSeqDIP"] = configure("aseqdip", task)
        if earlier:
            method = type("Stage", (Earlier,), dict(folder=earlier))(**found["DDNM"].to_dict())
            found[f"DDNM, {facts('denoiser-ct', earlier)['steps']} steps"] = method
    elif part != "as trained":
        found["TV"] = configure("tv", task, lamda=stored("T3")["ours"]["lamda"])
        found["VarNet"] = configure("varnet", task)
        if first and part in SLOW:
            found["aSeqDIP"] = configure("aseqdip", task)
    return found


def run(task, image, problem, seed, method):
    """(case, displayed answer, that of a sampler's first sample alone or None, seconds of the processor)."""
    given = problem | (dict(size=SIZE) if image.shipped else {}) | (dict(coils=COILS) if task == "mri" else {})
    case = load_case(task, image, seed=seed, **given)
    began, first = time.process_time(), None
    if isinstance(method, DDNM):
        *_, state = iterate(case.observation, method, seed=0)
        answer, first = state.estimate, case.display(state.image)
    else:
        answer = reconstruct(case, method, seed=0, progress=False).answer
    return case, case.display(answer), first, round(time.process_time() - began, 2)


def measured(task, name, problem, seed, method):
    """PSNR of a method's answer in dB, that of one sample, that of the start, and seconds."""
    case, answer, first, seconds = run(task, image_of(name), problem, seed, method)
    shown = dict(start=case.display(case.observation.start), psnr=answer) | ({} if first is None else dict(one=first))
    return {score: round(metrics.psnr(image, case.truth, case.data_range), 4)
            for score, image in shown.items()} | dict(seconds=seconds)


def lesion_kept(task, name, problem, seed, method):
    """What of pasted discs arrives in a method's answer, see `priors.kept`, of a sampler also in one sample."""
    pair = priors.with_lesions(image_of(name), SIZE)
    cases, answers, firsts, _ = zip(*[run(task, image, problem, seed, method) for image in pair], strict=True)
    truths = [case.truth for case in cases]
    return dict(kept=priors.kept(*truths, *answers)) | (
        {} if firsts[0] is None else dict(one=priors.kept(*truths, *firsts)))


def jobs(earlier):
    """[(row without its findings, (task, image, problem, seed), method)], those with the slowest arm last."""
    found = [(dict(part=part, image=image, problem=problem, seed=seed, arm=arm), (task, image, problem, seed), method)
             for task, parts in (("mri", MRI), ("ct", CT)) for part, problems in parts.items()
             for place, (image, problem, seed) in enumerate(problems)
             for arm, method in arms(task, part, place == 0, earlier).items()]
    return sorted(found, key=lambda job: job[0]["arm"] == "aSeqDIP")


@click.command()
@click.option("--earlier", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of weights.")
@click.option("--file", type=click.Path(path_type=Path), default=RESULTS / "lesson16.jsonl", help="Where rows go.")
@click.option("--part", default="", help="Make the parts alone whose name begins so.")
def main(earlier, file, part):
    """Make the rows that are missing."""
    torch.set_num_threads(1)
    store = Store(file, NAMES)
    for row, problem, method in jobs(earlier):
        if row["part"].startswith(part) and key(row, NAMES) not in store.rows:
            found = (lesion_kept if row["part"] == LESIONS else measured)(*problem, method)
            store.add(plain(row | found | dict(settings=method.to_dict())))
            click.echo(f"{row}: {found}")


if __name__ == "__main__":
    main()

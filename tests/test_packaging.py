"""What pyproject.toml says is said the same elsewhere: conda's environments, addresses, the README's pictures."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from aseqdip_lite.course import REPOSITORY

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import environments  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("file", environments.FILES)
def test_an_environment_of_conda_is_made_from_pyproject(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert text == environments.environment(file), "python scripts/environments.py makes it anew"
    for one in map(Requirement, PROJECT["dependencies"]):
        assert re.search(rf"^  - (py)?{one.name}(-base|-gpu)?{re.escape(str(one.specifier))}$", text, re.M), one


def test_addresses_are_the_repositorys():
    assert PROJECT["urls"]["Repository"] == REPOSITORY
    assert all(address.startswith(REPOSITORY) for address in PROJECT["urls"].values())


def test_the_readmes_pictures_show_on_an_index_page():
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert pictures and all(address.startswith(raw) for address in pictures)
    assert all((ROOT / address.removeprefix(raw)).is_file() for address in pictures)

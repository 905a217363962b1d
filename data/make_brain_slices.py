"""Make the shipped brain slices from Colin27, the T1 average of 27 scans of one person.

Input: ch2.nii.gz of Debian's package mricron-data (`apt-get install mricron-data`).
Run with nibabel installed:  python data/make_brain_slices.py
"""

import hashlib
import json
from pathlib import Path

import nibabel
import numpy as np

SOURCE = Path("/usr/share/mricron/templates/ch2.nii.gz")
TARGET = Path(__file__).parent.parent / "aseqdip_lite" / "data"
#: Axial slices, 1 mm apart, well away from one another; the tuning slices serve no result.
ROLES = {50: "tuning", 56: "result", 64: "result", 70: "result", 76: "tuning", 82: "result", 88: "tuning",
         96: "result", 102: "tuning", 108: "result"}
ORIGIN = dict(task="mri", licence="BSD-3-Clause", origin="ch2.nii.gz, Debian package mricron-data 1.2.20211006",
              citation="Holmes et al., J. Comput. Assist. Tomogr. 22(2):324-333, 1998")


def main():
    volume = np.asarray(nibabel.load(SOURCE).dataobj)  # (181, 217, 181) uint8, 1 mm, axes left-right, back-front, up
    slices = {f"brain-{z:03d}": np.rot90(volume[:, :, z]) for z in ROLES}  # (217, 181), front of the head on top
    TARGET.mkdir(exist_ok=True)
    np.savez_compressed(TARGET / "colin27.npz", **slices)
    facts = {f"brain-{z:03d}": ORIGIN | dict(role=role, what=f"axial T1 slice {z} of Colin27, 217 x 181",
                                             source="npz", key=f"brain-{z:03d}")
             for z, role in ROLES.items()}
    catalogue = TARGET / "catalogue.json"  # holds other images too: only the brain slices are replaced
    others = json.loads(catalogue.read_text()) if catalogue.exists() else {}
    catalogue.write_text(json.dumps(others | facts, indent=1) + "\n")
    print("sha256", hashlib.sha256((TARGET / "colin27.npz").read_bytes()).hexdigest())
    print("source", hashlib.sha256(SOURCE.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()

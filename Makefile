# aseqdip-lite: what can be done here. Every target makes .venv first if it is not there.
PYTHON ?= python3
RUN := .venv/bin
TASK ?= mri
PARTS ?= speed sweep precision growth
PURELIB := import sysconfig; print(sysconfig.get_path('purelib'))

.PHONY: help setup demo test colab wheel-test lab lessons site slides bench tune train reliability kill faults fuzz determinism licences lint clean

help:
	@echo "make demo      reconstruct a real brain slice; pictures in out/demo"
	@echo "make test      all tests, and all notebooks in the smoke profile"
	@echo "make colab     the panel's tests and lesson 00 with Google Colab's versions of Jupyter and widgets"
	@echo "make wheel-test   build the package and run all lessons from its wheel, with our versions and with Colab's"
	@echo "make lab       copy the lessons to aseqdip-lessons, open 00 in JupyterLab (this machine only)"
	@echo "make setup     only make .venv"
	@echo "make lessons   execute all lessons in the laptop profile and store their outputs"
	@echo "make site      render lessons, slides, guides and reference as a web site in out/site; it is read offline"
	@echo "make slides    only the slides of the lessons, made from their notebooks, in out/slides"
	@echo "make bench     measure speed, memory and growth (a quarter of an hour; nothing else should run meanwhile),"
	@echo "               print them with what is stored and write docs/PERFORMANCE.md; PARTS=\"quality means\" for"
	@echo "               time to quality and what shortens it (hours, resumable)"
	@echo "make tune      the recorded search that the defaults come from (TASK=ct for another task; resumable)"
	@echo "make train     train the VarNets and the denoisers anew (resumable; STEPS=2000, SLICES=4 for that many); needs"
	@echo "               mricron-data of Debian"
	@echo "make reliability   kill, faults, fuzz, determinism and licences, then docs/RELIABILITY.md; or one of them:"
	@echo "  make kill          runs and sweeps ended by SIGKILL at random moments (resumable)"
	@echo "  make faults        a full and a read-only disk (as root, or by unshare -rm), learning rates far too large"
	@echo "  make fuzz          10,000 damaged files, and 10,000 that are built to hurt"
	@echo "  make determinism   the same bits, and the spread between 1 and 2 threads"
	@echo "  make licences      the licences of all that is installed"
	@echo "make lint      ruff"

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; say which with: make PYTHON=/path/to/python3.11 setup"; exit 1; }
	@echo "Installing aseqdip-lite with PyTorch, JupyterLab and test tools into .venv: 1 to 5 minutes, about 1.5 GB."
	@test -x $(RUN)/python || $(PYTHON) -m venv .venv
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[lessons,dev]"
	@touch $@
	@echo "Done. Next: make demo, make lab"

demo: .venv/ready
	@$(RUN)/aseqdip compare mri --size 128 --methods zero_filled,l1_wavelet,tv,pnp,vanilla,aseqdip --out out/demo

test: .venv/ready
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest tests -n 2 --dist loadscope
	OMP_NUM_THREADS=1 ASEQDIP_PROFILE=smoke $(RUN)/python -m pytest lessons -n 2 --dist loadscope --nbval-lax --nbval-current-env

colab: .venv-colab/ready
	OMP_NUM_THREADS=1 .venv-colab/bin/python -m pytest tests/test_widgets*.py tests/test_colab.py tests/test_feedback.py \
	  tests/test_quizzes.py
	OMP_NUM_THREADS=1 ASEQDIP_PROFILE=smoke .venv-colab/bin/python -m pytest lessons/00_start_here.ipynb \
	  lessons/solutions/00_start_here.ipynb --nbval-lax --nbval-current-env

# Colab's versions come first on the path, everything else (PyTorch among it) from .venv.
.venv-colab/ready: .venv/ready constraints-colab.txt
	@rm -rf .venv-colab
	@$(RUN)/python -m venv .venv-colab
	@.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints-colab.txt
	@echo 'import site; site.addsitedir("$(shell $(RUN)/python -c "$(PURELIB)")")' \
	  > $$(.venv-colab/bin/python -c "$(PURELIB)")/course.pth
	@touch $@

wheel-test: .venv/ready
	$(RUN)/python scripts/wheel_test.py

lab: .venv/ready
	@$(RUN)/aseqdip lab

lessons: .venv/ready
	$(RUN)/python scripts/build_lessons.py --profile laptop

site: .venv/site
	@rm -rf out/site
	@$(RUN)/python scripts/build_site.py

slides: .venv/site
	@rm -rf out/slides
	@$(RUN)/python scripts/build_slides.py

.venv/site: .venv/ready
	@echo "Installing Sphinx, MathJax and reveal.js into .venv."
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[site]"
	@touch $@

bench: .venv/ready
	for part in $(PARTS); do $(RUN)/python benchmarks/$$part.py || exit 1; done
	$(RUN)/python benchmarks/performance_page.py

tune: .venv/ready
	$(RUN)/python scripts/tune.py $(TASK) && $(RUN)/python scripts/search_page.py

train: .venv/ready
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nibabel scikit-learn
	$(RUN)/python data/train_varnet.py $(if $(SLICES),--slices $(SLICES)) $(if $(STEPS),--steps $(STEPS))
	$(RUN)/python data/train_varnet.py --task ct $(if $(STEPS),--steps $(STEPS))
	for kind in mri ct pictures; do $(RUN)/python data/train_denoiser.py --kind $$kind $(if $(STEPS),--steps $(STEPS)) || exit 1; done

reliability: kill faults fuzz determinism licences

kill faults fuzz determinism: .venv/ready
	$(RUN)/python scripts/$@.py
	$(RUN)/python scripts/reliability_page.py

licences: .venv/site
	$(RUN)/python scripts/licences.py

lint: .venv/ready
	$(RUN)/ruff check .

clean:
	rm -rf out .pytest_cache .ruff_cache .hypothesis

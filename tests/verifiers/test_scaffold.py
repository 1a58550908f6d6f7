"""`distill verifiers new`: the package is small, passes the battery as written, harms nothing."""

import subprocess
import sys
import tomllib

import pytest

from pipelines.cli import main
from tests.pipelines.test_run import distill
from verifiers import base, scaffold


def test_the_package_is_small_and_passes_the_battery(tmp_path, monkeypatch):
    said = distill("verifiers", "new", "last_number", "--to", tmp_path, check=0).stdout
    folder = tmp_path / "distill-verifier-last-number"
    assert said.splitlines()[0] == str(folder)
    code = [path.read_text() for path in folder.glob("*.py")]
    assert len(code) == 2
    assert sum(len(text.splitlines()) for text in code) <= 25
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    ((name, target),) = project["project"]["entry-points"][base.GROUP].items()
    info = folder / "x-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{base.GROUP}]\n{name} = {target}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    root = str(base.__file__).rsplit("/", 2)[0]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{root}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Upper",
        "1st",
        "a-b",
        "a.b",
        "../up",
        "a__b",
        "_a",
        "a_",
        "class",
        "math",
        "a b",
        "é",
        "x" * 41,
    ],
)
def test_bad_and_taken_names_are_refused(tmp_path, name, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["verifiers", "new", "--name", name, "--to", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("distill: ")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    folder = scaffold.write("mine", tmp_path)
    (folder / "pyproject.toml").write_text("precious")
    said = distill("verifiers", "new", "mine", "--to", tmp_path, check=2)
    assert "is there already" in said.stderr
    assert (folder / "pyproject.toml").read_text() == "precious"
    assert (
        "no such folder" in distill("verifiers", "new", "b", "--to", tmp_path / "x", check=2).stderr
    )

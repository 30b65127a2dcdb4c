"""What is committed in `web/dist` is what its sources say; who has no Node learns of it, too."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web import api_types

WEB = Path(__file__).resolve().parents[2] / "web"
LOOSE = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
TYPES = "src/api/types.ts"  # Types leave nothing behind in what is built.


def source_hash() -> str:
    inside = [str(file.relative_to(WEB)) for file in (WEB / "src").rglob("*") if file.is_file()]
    names = sorted([*(name for name in inside if name != TYPES), *LOOSE])
    return hashlib.sha256("".join(f"{name} {_sha256(WEB / name)}\n" for name in names).encode()).hexdigest()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_dist_was_built_from_these_sources() -> None:
    said = (WEB / "dist" / "SOURCE").read_text().strip()

    assert said == source_hash(), "web/dist is stale: run `make web` and commit it"


@pytest.mark.skipif(not (WEB / "node_modules" / "vite").exists() or shutil.which("npm") is None, reason="no node_modules: run `make web`")
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(["npx", "vite", "build", "--outDir", str(tmp_path / "dist"), "--logLevel", "error"], cwd=WEB, check=True)

    again = {str(file.relative_to(tmp_path / "dist")): _sha256(file) for file in (tmp_path / "dist").rglob("*") if file.is_file()}
    assert again == {str(file.relative_to(WEB / "dist")): _sha256(file) for file in (WEB / "dist").rglob("*") if file.is_file()}


def test_types_are_those_of_the_doors() -> None:
    """A type the page does not know yet is no fault; one it knows wrongly is."""

    def declared(text: str) -> dict[str, str]:
        return {part.split()[2]: part for part in re.split(r"\n\n(?=export )", text) if part.startswith("export ")}

    ours, theirs = declared((WEB / TYPES).read_text()), declared(api_types.written())

    wrong = [name for name, text in ours.items() if theirs.get(name, "").strip() != text.strip()]
    assert wrong == [], "run `python -m tests.web.api_types` and commit the file"


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))


def test_dark_is_the_same_by_choice_and_by_system() -> None:
    text = (WEB / "src" / "styles" / "tokens.css").read_text()
    by_system, by_choice = text.split("@media (prefers-color-scheme: dark)")[1].split('[data-theme="dark"]', 1)

    assert tokens(by_choice.split("}")[0]) == tokens(by_system.split("}")[0])
    assert len(tokens(by_system)) > 50


def test_colours_stand_in_the_tokens_alone() -> None:
    """A colour elsewhere would not follow the theme; white on the plate's blue and black shadows are the plate's own."""
    styles = [file for file in (WEB / "src" / "styles").glob("*.css") if file.name not in ("tokens.css", "base.css")]
    found = [f"{file.name}: {hit}" for file in styles for hit in re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", file.read_text())]

    assert found == []


def test_nothing_of_another_host_is_built_in() -> None:
    page = (WEB / "dist" / "index.html").read_text()

    assert re.findall(r'(?:src|href)="(?!/assets/)[^"]*"', page) == []
    assert "<script>" not in page

"""Begin a matter: a folder that holds already, to be changed file by file, never a page of empty keys."""

from pathlib import Path

from services.catalog.compile_matter import CODE
from services.catalog.errors import CatalogError
from services.catalog.publish_matter import BUILT_IN, files_of

EXAMPLE = "residence_permit"


def new_matter(folder: Path) -> list[str]:
    """Write the example's files there under the folder's own name; answers their names. Raises CatalogError."""
    code = folder.resolve().name.replace("-", "_")
    if not CODE.fullmatch(code):
        raise CatalogError(f"a matter is named in small letters, figures and _, and so is its folder; {code!r} is not")
    if folder.exists() and any(folder.iterdir()):
        raise CatalogError(f"{folder} is not empty; a new matter wants a folder of its own")
    files = files_of(BUILT_IN / EXAMPLE)
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace(EXAMPLE, code), "utf-8")
    return sorted(files)

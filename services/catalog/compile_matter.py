"""Turn a folder's files into a matter; every fault by file and line, and none of them stops the search for the next."""

import re
from collections.abc import Mapping
from typing import Any

from services.catalog import documents, model
from services.catalog.documents import Document
from services.catalog.elements import WRITTEN
from services.catalog.errors import Fault
from services.catalog.model import ASKED, Certificate, Matter, Permit, Prefill, Read, Source
from services.flow.errors import FlowRefused
from services.flow.model import Diagram
from services.flow.read_flow import read_flow
from services.forms.check_form import check_form
from services.forms.model import FILE, PLACE, Field, fields_of, pointer_of
from services.rules.engine import compile_rules
from services.rules.errors import RuleFault
from services.rules.model import Kind, Require, Rules

MATTER, FORM, PREFILL, RULES, FLOW, CERTIFICATE = (
    "matter.yaml", "form.schema.json", "prefill.yaml", "rules.yaml", "flow.bpmn", "certificate.yaml",
)  # fmt: skip
LANGUAGES = ("zh", "en")
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
_AGE = re.compile(r"(\d{1,3})([dhm])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60}


def compile_matter(files: Mapping[str, str]) -> tuple[Matter | None, list[Fault]]:
    """The matter, when nothing is wrong with it but what only its tests can show; and all faults."""
    faults: list[Fault] = []
    head = documents.read(MATTER, files.get(MATTER), faults)
    elements = _elements(head)
    form = documents.read(FORM, files.get(FORM), faults)
    fields = _fields(form)
    prefill = documents.read(PREFILL, files.get(PREFILL), faults)
    sources, prefills, reads = _sources(prefill), *_filled(prefill, fields)
    _used_sources(prefill, sources, prefills, reads)
    _founded(form, fields, prefills)
    rules = _rules(documents.read(RULES, files.get(RULES), faults), fields, reads)
    diagram = _flow(files.get(FLOW), faults)
    certificate = _certificate(files, fields, str(elements.get("code", "")), faults)
    texts = _texts(files, diagram, faults)
    _unread(prefill, reads, rules)
    if faults or rules is None or diagram is None:
        return None, sorted(set(faults))
    return Matter(
        code=elements["code"], name=elements["name"], agency=elements["agency"], level=elements["level"],
        promise_days=elements["promise_days"], elements=elements, form=form.value, sources=sources, prefills=tuple(prefills),
        reads=tuple(reads), rules=rules, flow=files[FLOW], certificate=certificate, texts=texts,
    ), []  # fmt: skip


def _elements(head: Document) -> dict[str, Any]:
    """matter.yaml: each of its elements is there, be it with the word `none`."""
    found = head.only("", WRITTEN)
    for key in WRITTEN:
        if found.get(key) is None and head.value is not None:
            head.fault("", f"the element {key!r} is missing; where there is nothing to say, write `none`")
    for key, pattern in (("code", CODE), ("agency", CODE), ("level", re.compile("L[123]"))):
        if key in found and not (isinstance(found[key], str) and pattern.fullmatch(found[key])):
            head.fault(f"/{key}", f"{key!r} is {'L1, L2 or L3' if key == 'level' else 'a word of small letters, figures and _'}")
    if "promise_days" in found and not (isinstance(found["promise_days"], int) and 0 < found["promise_days"] <= 365):
        head.fault("/promise_days", "'promise_days' is a number of working days, 1 to 365")
    if "name" in found and not isinstance(found["name"], dict):
        head.fault("/name", "a name is {zh: …, en: …}")
    _both_languages(head, found, "")
    return found


def _both_languages(document: Document, value: Any, pointer: str) -> None:
    """Whatever is said in one language is said in the other."""
    if isinstance(value, list):
        for place, one in enumerate(value):
            _both_languages(document, one, f"{pointer}/{place}")
    elif isinstance(value, dict):
        if set(value) & set(LANGUAGES):
            for language in LANGUAGES:
                if not isinstance(value.get(language), str) or not value[language].strip():
                    document.fault(pointer, f"the text is missing in {language}")
        for key, one in value.items():
            _both_languages(document, one, f"{pointer}/{key}")


def _fields(form: Document) -> dict[str, Field]:
    if form.value is None:
        return {}
    broken = check_form(form.value)
    for pointer, message in broken:
        form.fault(pointer, message)
    return {field.name: field for field in fields_of(form.value)} if isinstance(form.value, dict) else {}


def _sources(prefill: Document) -> dict[str, Source]:
    prefill.only("", ("sources", "fields", "read"))
    found: dict[str, Source] = {}
    for name in prefill.mapping("/sources"):
        at = f"/sources/{name}"
        said = prefill.only(at, ("api", "purpose", "key", "max_age"))
        age = _AGE.fullmatch(str(said.get("max_age", "")))
        for key in ("api", "purpose"):
            if not isinstance(said.get(key), str):
                prefill.fault(at, f"a source says its {key}")
        if said.get("key") != "applicant.id_no":
            prefill.fault(f"{at}/key", "a department is asked about the applicant, by her number: `key: applicant.id_no`")
        if age is None:
            prefill.fault(f"{at}/max_age", "how old an answer may be is said like 1d, 12h or 30m")
        found[name] = Source(
            api=str(said.get("api")), purpose=str(said.get("purpose")), max_age_s=int(age[1]) * _SECONDS[age[2]] if age else 0
        )
    return found


def _filled(prefill: Document, fields: Mapping[str, Field]) -> tuple[list[Prefill], list[Read]]:
    prefills, reads = [], []
    for name in prefill.mapping("/fields"):
        at = f"/fields/{name}"
        said = prefill.only(at, ("from", "lock", "choose"))
        if name not in fields:
            prefill.fault(at, f"{name!r} is no field of {FORM}")
        elif _is_outside(fields[name]):
            prefill.fault(at, f"{name!r} is the applicant's to answer: no department fills in a file or a place")
        element, source = _element(prefill, f"{at}/from", said.get("from"))
        lock, choose = said.get("lock", False), said.get("choose", False)
        if not isinstance(lock, bool) or not isinstance(choose, bool) or (lock and choose):
            prefill.fault(at, "`lock` and `choose` are true or false, and not both true")
        if element and (ASKED[element] == "cars") != bool(choose):
            prefill.fault(
                at, f"{element} offers {'several: say `choose: true`' if ASKED[element] == 'cars' else 'one value: nothing to choose'}"
            )
        prefills.append(Prefill(pointer=pointer_of(name), element=element, source=source, lock=bool(lock), choose=bool(choose)))
    for name, value in prefill.mapping("/read").items():
        at = f"/read/{name}"
        if name in fields or not CODE.fullmatch(name):
            prefill.fault(at, f"{name!r} is a name of its own, in small letters")
        element, source = _element(prefill, at, value)
        reads.append(Read(name=name, element=element, source=source))
    return prefills, reads


def _is_outside(field: Field) -> bool:
    return FILE in field.schema or PLACE in field.schema


def _element(prefill: Document, at: str, said: object) -> tuple[str, str]:
    """`police.person.name` is the element `police.name`, asked from the source `police.person`."""
    source, _, last = str(said).rpartition(".")
    element = f"{source.partition('.')[0]}.{last}"
    if source not in prefill.mapping("/sources"):
        prefill.fault(at, f"{said!r}: there is no source {source!r} under `sources`")
    elif element not in ASKED:
        prefill.fault(at, f"{said!r}: no department fills {element!r}; there are {', '.join(sorted(ASKED))}")
    return (element if element in ASKED else "", source)


def _used_sources(prefill: Document, sources: Mapping[str, Source], prefills: list[Prefill], reads: list[Read]) -> None:
    used = {one.source for one in prefills} | {one.source for one in reads}
    for name in sources:
        if name not in used:
            prefill.fault(f"/sources/{name}", f"nobody reads the source {name!r}")


def _founded(form: Document, fields: Mapping[str, Field], prefills: list[Prefill]) -> None:
    """Nothing is asked without a department that knows it or a law that wants it."""
    filled = {one.pointer for one in prefills}
    for field in fields.values():
        if field.pointer not in filled and not field.schema.get("x-basis"):
            pointer = "".join(f"/properties/{part}" for part in field.pointer.split("/")[1:])
            form.fault(pointer, f'{field.name!r} has neither a source ({PREFILL}) nor a legal basis ("x-basis")')


def _rules(document: Document, fields: Mapping[str, Field], reads: list[Read]) -> Rules | None:
    if document.value is None:
        return None
    document.only("", ("facts", "require"))
    kinds: dict[str, Kind] = {name: kind for name, field in fields.items() if (kind := model.kind_of_field(field.schema))}
    kinds |= {one.name: model.kind_of_element(one.element) for one in reads if one.element}
    facts = {name: str(text) for name, text in document.mapping("/facts").items()}
    require = _require(document)
    rules = Rules(kinds=kinds, facts=facts, require=tuple(rule for _, rule in require))
    places = {name: f"/facts/{name}" for name in facts} | {rule.id: f"{at}/when" for at, rule in require}
    try:
        compile_rules(rules)
    except RuleFault as fault:
        document.fault(places.get(fault.place, ""), f"{fault.place}: {fault}")
        return None
    texts = [rule.when for _, rule in require] + list(facts.values())
    for name in facts:
        if not any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) for text in texts):
            document.fault(f"/facts/{name}", f"nobody reads the fact {name!r}")
    return rules


def _require(document: Document) -> list[tuple[str, Require]]:
    listed = document.value.get("require") if isinstance(document.value, dict) else None
    if not isinstance(listed, list) or not listed:
        document.fault("/require", "a list of conditions is expected under `require`")
        return []
    found: list[tuple[str, Require]] = []
    for place, said in enumerate(listed):
        at = f"/require/{place}"
        if not isinstance(said, dict):
            document.fault(at, "a condition has id, cite, when, then, else and unknown")
            continue
        for key in said.keys() - {"id", "cite", "when", "then", "else", "unknown"}:
            document.fault(f"{at}/{key}", f"nobody reads the key {key!r}")
        for key in ("id", "cite", "when"):
            if not isinstance(said.get(key), str):
                document.fault(at, f"a condition has {key!r}, a text")
        words = {key: said[key] if isinstance(said.get(key), dict) else {} for key in ("then", "else", "unknown")}
        for key, both in words.items():
            for language in LANGUAGES:
                if not isinstance(both.get(language), str):
                    document.fault(f"{at}/{key}", f"what {said.get('id')!r} says when it comes out {key!r} is missing in {language}")
        if said.get("id") in {rule.id for _, rule in found}:
            document.fault(f"{at}/id", f"the id {said['id']!r} stands here twice")
        found.append((at, Require(
            id=str(said.get("id")), cite=str(said.get("cite")), when=str(said.get("when")),
            then=words["then"], otherwise=words["else"], unknown=words["unknown"],
        )))  # fmt: skip
    return found


def _flow(text: str | None, faults: list[Fault]) -> Diagram | None:
    if text is None:
        faults.append(Fault(FLOW, 1, "this file is missing"))
        return None
    try:
        diagram, found = read_flow(text)
    except FlowRefused as refused:
        faults.append(Fault(FLOW, 1, str(refused)))
        return None
    faults += [Fault(FLOW, line, message) for line, message in found]
    return diagram


def _certificate(files: Mapping[str, str], fields: Mapping[str, Field], code: str, faults: list[Fault]) -> Certificate | None:
    """certificate.yaml is there for matters that end in a licence."""
    if CERTIFICATE not in files:
        return None
    document = documents.read(CERTIFICATE, files[CERTIFICATE], faults)
    said = document.only("", ("class", "name", "claims", "valid", "permit"))
    class_code, name, claims = said.get("class"), said.get("name"), document.mapping("/claims")
    if not isinstance(class_code, str) or code not in class_code:
        document.fault("/class", f"the class carries the matter's code, such as 'zz.{code}'")
    if not isinstance(name, dict):
        document.fault("", "the licence has a name: {zh: …, en: …}")
    _both_languages(document, said, "")
    for claim, field in claims.items():
        if field not in fields:
            document.fault(f"/claims/{claim}", f"nobody fills {field!r}")
        elif _is_outside(fields[field]):
            document.fault(f"/claims/{claim}", f"{field!r} is a file or a place, which no licence says of its holder")
    valid = document.only("/valid", ("years", "days"))
    years, days = valid.get("years", 0), valid.get("days", 0)
    if not isinstance(years, int) or not isinstance(days, int) or not 0 < years * 366 + days <= 36600:
        document.fault("/valid", "how long it is valid is said as {years: N} or {days: N}")
        years, days = 1, 0
    return Certificate(
        class_code=str(class_code), name=name if isinstance(name, dict) else {}, claims={key: str(value) for key, value in claims.items()},
        valid_years=years, valid_days=days, permit=_permit(document, fields),
    )  # fmt: skip


def _permit(document: Document, fields: Mapping[str, Field]) -> Permit | None:
    if not isinstance(document.value, dict) or "permit" not in document.value:
        return None
    said = document.only("/permit", ("plate", "zone", "kind"))
    for key in ("plate", "zone"):
        if said.get(key) not in fields:
            document.fault(f"/permit/{key}", f"nobody fills {said.get(key)!r}: {key} is a field of {FORM}")
    if not isinstance(said.get("kind"), str):
        document.fault("/permit", "a permit has a kind that tariffs ask for, such as `resident`")
    return Permit(plate=str(said.get("plate")), zone=str(said.get("zone")), kind=str(said.get("kind")))


def _texts(files: Mapping[str, str], diagram: Diagram | None, faults: list[Fault]) -> dict[str, dict[str, str]]:
    """i18n/zh.yaml and en.yaml say the same things, each of which somebody reads."""
    wanted = ["summary", "keywords", "step.submitted", "step.decided"]
    wanted += [f"letter.{kind}.{part}" for kind in model.LETTERS for part in ("title", "body")]
    if diagram is not None:
        wanted += [f"step.{node.id}" for node in diagram.nodes.values() if node.kind in ("rules", "person")]
    wanted += [key for key in model.STANDARD if key in _said(files)]
    both: dict[str, dict[str, str]] = {key: {} for key in wanted}
    for language in LANGUAGES:
        file = f"i18n/{language}.yaml"
        document = documents.read(file, files.get(file), faults)
        said = document.mapping()
        for key in said:
            if key not in both and diagram is not None:
                document.fault(f"/{key}", f"nobody reads the text {key!r}")
        for key in wanted if document.value is not None else ():
            if not isinstance(said.get(key), str) or not said[key].strip():
                document.fault(f"/{key}" if key in said else "", f"the text {key!r} is missing in {language}")
            else:
                both[key][language] = said[key]
                for name in _placeholders(said[key]) - set(model.PLACEHOLDERS):
                    document.fault(f"/{key}", f"nobody fills {{{name}}}; there are {', '.join(model.PLACEHOLDERS)}")
        if language == "en":
            _same_placeholders(document, both)
    return both


def _said(files: Mapping[str, str]) -> set[str]:
    """Standard texts that the folder says better, in one of its languages at least."""
    return {key for language in LANGUAGES for key in documents.read("", files.get(f"i18n/{language}.yaml"), []).mapping()}


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{([^{}]*)\}", text))


def _same_placeholders(document: Document, both: Mapping[str, Mapping[str, str]]) -> None:
    for key, words in both.items():
        if len(words) == 2 and _placeholders(words["zh"]) != _placeholders(words["en"]):
            document.fault(f"/{key}", f"the text {key!r} names other values in en than in zh")


def _unread(prefill: Document, reads: list[Read], rules: Rules | None) -> None:
    """What is asked only for the rules must be looked at by one: else a department is asked for nothing."""
    if rules is None:
        return
    texts = [rule.when for rule in rules.require] + list(rules.facts.values())
    for one in reads:
        if not any(re.search(rf"(?<![\w.]){re.escape(one.name)}(?![\w.])", text) for text in texts):
            prefill.fault(f"/read/{one.name}", f"nobody reads {one.name!r}")

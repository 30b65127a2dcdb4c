"""Say in Chinese and English what a line is for and what a tariff is: the words a driver reads and an appeal quotes."""

from parking.tariffs.model import Condition, Discount, PermitSpan, Season, Step, Tariff, Text, Window

_WINDOW_NAMES = {
    "day": Text("白天", "day"),
    "night": Text("夜间", "night"),
    "work": Text("工作日", "working day"),
    "rest": Text("休息日", "rest day"),
    "peak": Text("高峰", "peak"),
    "free": Text("免费时段", "free hours"),
}
_DAY_WORDS = {
    "work": Text("工作日", "working days"),
    "rest": Text("休息日", "rest days"),
    "holiday": Text("法定节假日", "official holidays"),
    "mon": Text("周一", "Mondays"),
    "tue": Text("周二", "Tuesdays"),
    "wed": Text("周三", "Wednesdays"),
    "thu": Text("周四", "Thursdays"),
    "fri": Text("周五", "Fridays"),
    "sat": Text("周六", "Saturdays"),
    "sun": Text("周日", "Sundays"),
}
_CLASS_WORDS = {
    "new": Text("新能源车", "new energy"),
    "fuel": Text("燃油车", "fuel"),
    "blue": Text("蓝牌", "blue plates"),
    "yellow": Text("黄牌", "yellow plates"),
    "green": Text("绿牌", "green plates"),
    "yellow_green": Text("黄绿牌", "yellow-green plates"),
    "white": Text("白牌", "white plates"),
    "black": Text("黑牌", "black plates"),
    "other": Text("其他号牌", "other plates"),
    "small": Text("小型车", "small vehicles"),
    "large": Text("大型车", "large vehicles"),
    "motorcycle": Text("摩托车", "motorcycles"),
    "unknown": Text("车型未知", "vehicles of unknown type"),
}
FREE_MINUTES = Text("免费时长内", "within the free minutes")
EXEMPT = Text("免费车辆", "exempt")
ROUNDING = Text("抹零", "rounded down")
TIME_TO_LEAVE = Text("预付后离场时间内", "time to leave after paying")
EARLIER = Text("与之前停放合并计费，减去已计费用", "counted together with the visits before, less what was asked for them")


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def window_name(window: Window) -> Text:
    return window.title or _WINDOW_NAMES.get(window.name) or Text(window.name, window.name)


def of_run(window: Window, tier: int, steps: int) -> Text:
    """What a time line is for: so many paid steps of one tier of one window."""
    name = window_name(window)
    step = window.steps[tier]
    band = _band(window, tier)
    zh, en = f"{name.zh} {band.zh}".rstrip(), f"{name.en} {band.en}".rstrip()
    if not step.price:
        return Text(f"{zh}：免费", f"{en}: free")
    if not steps:
        return Text(f"{zh}：不另收费", f"{en}: nothing more to pay")
    if not step.per:
        return Text(f"{zh}：每次{yuan(step.price)}元", f"{en}: flat {yuan(step.price)}")
    per = _per(step.per)
    return Text(f"{zh}：{steps} × {yuan(step.price)}元/{per.zh}", f"{en}: {steps} × {yuan(step.price)} per {per.en}")


def of_repeat(times: int, gross: int) -> Text:
    each = yuan(gross // times)
    return Text(f"{times} × 24小时，各{each}元", f"{times} × 24 h, {each} each")


def of_permit(permit: PermitSpan) -> Text:
    title = permit.title or (None if permit.name == "permit" else Text(permit.name, permit.name))
    if title is None:
        return Text("停车证免费", "free with permit")
    return Text(f"停车证免费（{title.zh}）", f"free with permit ({title.en})")


def of_window_cap(window: Window) -> Text:
    name = window_name(window)
    assert window.cap is not None
    return Text(f"{name.zh}封顶{yuan(window.cap)}元", f"{name.en}, at most {yuan(window.cap)}")


def of_repeated_window_cap(times: int) -> Text:
    return Text(f"时段封顶，{times} 天", f"cap of the window, {times} days")


def of_day_cap(cap: int, period: str) -> Text:
    if period == "rolling":
        return Text(f"24小时封顶{yuan(cap)}元", f"at most {yuan(cap)} in 24 hours")
    return Text(f"当日封顶{yuan(cap)}元", f"at most {yuan(cap)} a day")


def of_stay_cap(cap: int) -> Text:
    return Text(f"单次封顶{yuan(cap)}元", f"at most {yuan(cap)} a stay")


def of_discount(discount: Discount) -> Text:
    whom = _whom(discount.condition)
    return Text(f"{whom.zh}优惠{discount.percent}%", f"{discount.percent} % off, {whom.en}")


def of_tariff(tariff: Tariff) -> Text:
    """The whole tariff in words: its own text where the publisher wrote one."""
    if tariff.text is not None:
        return tariff.text
    parts = [_free(tariff), *(_window(window) for window in tariff.windows), *_caps(tariff), *(of_discount(d) for d in tariff.discounts)]
    if tariff.reentry:
        gap = tariff.reentry.gap_minutes
        parts.append(Text(f"{gap}分钟内再次进入合并计费", f"visits less than {gap} min apart count together"))
    if tariff.leave_within_minutes:
        parts.append(
            Text(f"预付后{tariff.leave_within_minutes}分钟内离场", f"{tariff.leave_within_minutes} min to leave after paying in advance")
        )
    said = [part for part in parts if part is not None]
    return Text("；".join(part.zh for part in said) + "。", "; ".join(part.en for part in said) + ".")


def _free(tariff: Tariff) -> Text | None:
    minutes = tariff.free.minutes
    if not minutes:
        return None
    if tariff.free.mode == "deduct":
        return Text(f"前{minutes}分钟不计费", f"the first {minutes} min do not count")
    return Text(f"{minutes}分钟内（含）免费，超过则全程计费", f"{minutes} min free (included); longer stays count from the first second")


def _window(window: Window) -> Text:
    name = window_name(window)
    clock = f"{_clock(window.start)}–{_clock(window.end)}"
    days = [_DAY_WORDS[word] for word in window.days or ()]
    season = _season(window.season) if window.season else Text("", "")
    kinds = [_CLASS_WORDS[word] for word in (*(window.vehicle or ()), *(window.plate or ()))]
    zh = "、".join(word.zh for word in (*days, *kinds))
    en = ", ".join(word.en for word in (*days, *kinds))
    steps = [_step(window, place) for place in range(len(window.steps))]
    down = Text("，不足一个计费单位不收费", ", unfinished steps are not charged") if window.round == "down" else Text("", "")
    cap = Text(f"，封顶{yuan(window.cap)}元", f", at most {yuan(window.cap)}") if window.cap is not None else Text("", "")
    return Text(
        f"{name.zh} {season.zh}{zh}{clock}：{'，'.join(step.zh for step in steps)}{down.zh}{cap.zh}",
        f"{name.en} {season.en}{en + ' ' if en else ''}{clock}: {', '.join(step.en for step in steps)}{down.en}{cap.en}",
    )


def _step(window: Window, place: int) -> Text:
    step: Step = window.steps[place]
    band = _band(window, place)
    en = f"{band.en} " if band.en else ""
    if not step.price:
        return Text(f"{band.zh}免费", f"{en}free")
    if not step.per:
        times = {"occurrence": Text("每次", "each time"), "day": Text("每天", "each day"), "stay": Text("每次停放", "each stay")}[step.once]
        return Text(f"{band.zh}{times.zh}{yuan(step.price)}元", f"{en}{yuan(step.price)} {times.en}")
    per = _per(step.per)
    return Text(f"{band.zh}{yuan(step.price)}元/{per.zh}", f"{en}{yuan(step.price)} per {per.en}")


def _caps(tariff: Tariff) -> list[Text]:
    caps = tariff.caps
    day = [of_day_cap(caps.day, caps.period)] if caps.day is not None else []
    if day and caps.of == "plate":
        day.append(Text("多次停放合并封顶", "all visits together"))
    return day + ([of_stay_cap(caps.stay)] if caps.stay is not None else [])


def _band(window: Window, tier: int) -> Text:
    """Which part of the time a tier is: nothing where there is only one."""
    if len(window.steps) == 1:
        return Text("", "")
    since = window.steps[tier - 1].until if tier else 0
    until = window.steps[tier].until
    assert since is not None
    if not tier:
        assert until is not None
        return Text("首小时", "first hour") if until == 60 else Text(f"前{_minutes(until).zh}", f"first {_minutes(until).en}")
    if until is None:
        return Text(f"{_minutes(since).zh}后", f"after {_minutes(since).en}")
    return Text(f"{_minutes(since).zh}至{_minutes(until).zh}", f"{_minutes(since).en} to {_minutes(until).en}")


def _per(minutes: int) -> Text:
    return Text("小时", "hour") if minutes == 60 else _minutes(minutes)


def _minutes(minutes: int) -> Text:
    if minutes % 60 == 0:
        return Text(f"{minutes // 60}小时", f"{minutes // 60} h")
    return Text(f"{minutes}分钟", f"{minutes} min")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}" + (f":{seconds % 60:02d}" if seconds % 60 else "")


def _season(season: Season) -> Text:
    (m1, d1), (m2, d2) = season.first, season.last
    return Text(f"{m1}月{d1}日至{m2}月{d2}日", f"{m1:02d}-{d1:02d} through {m2:02d}-{d2:02d} ")


def _whom(condition: Condition) -> Text:
    if condition.of == "permit":
        return Text("、".join(condition.among), ", ".join(condition.among))
    known = [_CLASS_WORDS[word] for word in condition.among]
    return Text("、".join(word.zh for word in known), ", ".join(word.en for word in known))

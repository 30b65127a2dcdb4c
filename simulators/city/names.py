"""Names that sound right: streets, estates and towers in Chinese, and the same in English by pinyin."""

import functools
from typing import Final

from pypinyin import lazy_pinyin

_STEMS: Final = """
永安 兴隆 建华 新华 文昌 福元 康复 和平 光明 长青 工农 胜利 向阳 朝阳 东明 玉泉 云鹤 金桥 银河 瑞祥
祥和 安泰 泰山 嵩岳 颍河 洛河 沁河 伏牛 太行 岗杜 柳林 杨槐 榆林 桂花 梅山 丹桂 海棠 紫藤 玉兰 青松
翠竹 芙蓉 牡丹 月季 百合 石楠 银杏 香樟 梧州 桃源 杏坛 书院 学府 文苑 求实 博文 崇文 尚德 明德 至善
育才 育英 科源 创业 兴业 宏业 振兴 富强 民安 民生 惠民 普惠 德政 清风 正光 正阳 东里 西里 南关 北仓
顺城 城垣 商鼎 殷都 大禹 黄帝 轩辕 少典 有熊 华夏 中兴 国泰 宏图 鹏程 凌云 航天 卫星 电厂 纺织 机床
煤厂 货栈 站前 铁英 司家 张寨 王楼 刘庄 陈砦 丁楼 庙李 黄岗 菜王 高皇 马头 沟赵 贾寨 弓庄 燕凤 玉凤
凤鸣 龙翔 龙兴 龙湖 天泽 天赋 天瑞 康平 康宁 永平 永宁 万通 通泰 聚源 汇丰 金明 金岱 金穗 银莱 豫兴
豫丰 中博 中信
"""
STEMS: Final = tuple(_STEMS.split())
STREETS: Final = (
    ("街", "Street"),
    ("路", "Road"),
    ("东路", "East Road"),
    ("西路", "West Road"),
    ("北街", "North Street"),
    ("南街", "South Street"),
    ("巷", "Lane"),
)
ESTATES: Final = (
    ("小区", "Estate"),
    ("花园", "Garden"),
    ("家园", "Homes"),
    ("苑", "Court"),
    ("嘉园", "Park Homes"),
    ("新村", "New Village"),
)
TOWERS: Final = (
    ("大厦", "Tower"),
    ("国际中心", "International Centre"),
    ("商务中心", "Business Centre"),
    ("广场", "Plaza"),
    ("科技园", "Technology Park"),
)
LOTS: Final = {
    "on_street": ("路侧", "kerbside"),
    "surface": ("停车场", "car park"),
    "structure": ("停车楼", "parking garage"),
    "underground": ("地下停车场", "underground car park"),
}


def street_name(chance: float, *, eastward: bool, kind: str) -> tuple[str, str]:
    """A street's name by its chance: roads run east, streets north, lanes are small."""
    stem = STEMS[int(chance * 1e4) % len(STEMS)]
    turn = int(chance * 1e7) % 10
    if kind == "secondary":
        suffix = STREETS[1] if eastward else STREETS[0]
    elif turn < 5:
        suffix = (STREETS[1], STREETS[2], STREETS[3])[turn % 3] if eastward else (STREETS[0], STREETS[4], STREETS[5])[turn % 3]
    else:
        suffix = STREETS[6] if turn > 7 else STREETS[0]
    return stem + suffix[0], f"{english(stem)} {suffix[1]}"


def estate_name(chance: float, demand: str) -> tuple[str, str]:
    stem, kinds = STEMS[int(chance * 1e4) % len(STEMS)], TOWERS if demand == "office" else ESTATES
    kind = kinds[int(chance * 1e7) % len(kinds)]
    return stem + kind[0], f"{english(stem)} {kind[1]}"


@functools.cache
def english(text: str) -> str:
    """Pinyin in one word, with the apostrophe where syllables could be read otherwise."""
    syllables: list[str] = lazy_pinyin(text)
    return "".join(("'" if place and one[0] in "aeo" else "") + one for place, one in enumerate(syllables)).capitalize()


def site_name(base: tuple[str, str], kind: str, number: int) -> tuple[str, str]:
    """`number` counts the sites of one name and kind; the first has none, or P1 where more follow."""
    zh, en = LOTS[kind]
    mark = f"P{number}" if number else ""
    return base[0] + mark + zh, " ".join(part for part in (base[1], mark, en) if part)

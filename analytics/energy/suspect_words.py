"""What is said of the meter at fault: the reasons in words, and what a factor most often comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from facility.names import Names

Cause = Literal["factor", "reversed", "stopped"]

# What a meter's factor most often comes from: counted over true, and what to look at.
_KNOWN_FACTORS: Final[Sequence[tuple[float, Names]]] = (
    (2.0, Names(zh="倍率可能多乘了2倍", en="its ratio may be entered twice too large")),
    (0.5, Names(zh="倍率可能少了一半", en="its ratio may be entered half as large as it is")),
    (2 / 3, Names(zh="可能缺一相（熔断器或互感器断线）", en="one phase of three may be missing (fuse, transformer)")),
    (
        1 / 3,
        Names(zh="可能缺两相，或一相互感器接反", en="two phases may be missing, or one current transformer reversed"),
    ),
    (1.5, Names(zh="互感器变比可能按大一档填写", en="the ratio may be that of the next larger current transformer")),
    (0.8, Names(zh="互感器变比可能按小一档填写", en="the ratio may be that of the next smaller current transformer")),
    (1.25, Names(zh="互感器变比可能按大一档填写", en="the ratio may be that of the next larger current transformer")),
    (10.0, Names(zh="小数点或脉冲当量可能差10倍", en="a decimal place or the value of a pulse may be off by ten")),
    (0.1, Names(zh="小数点或脉冲当量可能差10倍", en="a decimal place or the value of a pulse may be off by ten")),
    (100.0, Names(zh="脉冲当量或单位可能差100倍", en="the value of a pulse or the unit may be off by a hundred")),
    (0.01, Names(zh="脉冲当量或单位可能差100倍", en="the value of a pulse or the unit may be off by a hundred")),
)


def blamed(name: Names, cause: Cause, factor: float, balances: int) -> Names:
    """Return why a meter is blamed; `balances` is in how many it stands."""
    levels_zh = f"，与其所在的 {balances} 处平衡均吻合" if balances > 1 else ""
    levels_en = f"; that fits the {balances} balances in which it stands" if balances > 1 else ""
    if cause == "stopped":
        return Names(
            zh=f"{name.zh} 停走：部分日期读数不动，缺少的正是其平日用量{levels_zh}",
            en=f"{name.en} stood still on some days, and its usual use is what is lacking{levels_en}.",
        )
    if cause == "reversed":
        return Names(
            zh=f"{name.zh} 可能接反：反向计其用量即可平衡{levels_zh}",
            en=f"{name.en} may be wired backwards: counted the other way the balance closes{levels_en}.",
        )
    known = known_factor(factor)
    return Names(
        zh=f"{name.zh} 计得实际的 {factor:.2f} 倍即可解释{levels_zh}{f'；{known.zh}' if known else ''}",
        en=f"{name.en} counts {factor:.2f} times the truth{levels_en}{f'; {known.en}' if known else ''}.",
    )


def known_factor(factor: float) -> Names | None:
    """Return what a factor most often comes from; None if it is not known to come from anything."""
    return next((n for f, n in _KNOWN_FACTORS if abs(factor / f - 1.0) <= _slack(f)), None)


def _slack(factor: float) -> float:
    # What a meter counts too much hides how much was true: a factor of ten is known far less well than one of two.
    return 0.03 if 0.2 < factor < 5.0 else 0.15


def too_few(days: int, needed: int) -> Names:
    """Return that too few days are known."""
    return Names(
        zh=f"只有 {days} 天各表数据齐全，需 {needed} 天才能判断哪块表有误",
        en=f"All meters are known on {days} days only; {needed} are needed to tell which is wrong.",
    )


def none_fits() -> Names:
    """Return that nothing that was tried explains the difference."""
    return Names(
        zh="没有单独一块表的误差能解释各日的差额；请逐表核对读数、倍率与供应关系",
        en="No single meter's error explains the difference over the days; compare readings, ratios and fed_by.",
    )


def true_loss(share: float) -> Names:
    """Return that no meter is as likely as a true loss; `share` is how likely that is."""
    return Names(
        zh=f"没有哪块表能这样解释：更像实际损失或未计量用户（可能性 {share:.0%}）；请先查漏损与未装表的用户",
        en=f"No meter explains it as well as a true loss or a user without a meter ({share:.0%}); look there first.",
    )


def cannot_tell(shares: Mapping[str | None, float], names: Mapping[str, Names]) -> Names:
    """Return that explanations fit alike, by meter and, by None, of a true loss."""
    likely = [(node, share) for node, share in sorted(shares.items(), key=lambda i: -i[1])[:3] if share >= 0.1]
    other = Names(zh="实际损失或未计量用户", en="a true loss or a user without a meter")
    found = [(other if node is None else names[node], share) for node, share in likely]
    zh = "、".join(f"{name.zh} {share:.0%}" for name, share in found)
    en = ", ".join(f"{name.en} {share:.0%}" for name, share in found)
    return Names(
        zh=f"无法确定：几种解释同样吻合（{zh}）；请先核对这些",
        en=f"It cannot be told: several explanations fit alike ({en}); look at these first.",
    )

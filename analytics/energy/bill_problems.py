"""What a bill could not say, in words: each with its place and its mend, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from facility.names import Names


@dataclass(frozen=True, slots=True)
class BillProblem:
    """What a bill could not say, where, and how that is mended; `code` is stable."""

    code: str
    text: Names

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"code": self.code, "text": self.text.model_dump()}


@dataclass(frozen=True, slots=True)
class _Words:
    """`at_least`: something that is charged is not on the bill, so the true total is higher."""

    zh: str
    en: str
    at_least: bool = True


_WORDS: Final = {
    "no-energy": _Words(
        "{month} 没有任何计量数据，用量部分未计费；请检查采集或录入人工抄表",
        "nothing is known of the use in {month}, so none is charged; check the meter's connection or enter its hand "
        "readings",
    ),
    "energy-missing": _Words(
        "{share:.1%} 的时段缺数据，这部分未计费，合计为下限；请补录抄表数据",
        "{share:.1%} of the time has no data and is not charged, so the true total is higher; enter hand readings",
    ),
    "no-tariff": _Words(
        "{place}：{start} 至 {last} 没有单价（最早从 {first} 起），这些天未计费；"
        "请在站点文件中增加 from: {start} 的一条",
        "{place}: no tariff holds from {start} to {last} (the first begins on {first}), and these days are not "
        "charged; add an entry with from: {start} to the site file",
    ),
    "no-price": _Words(
        "{place}.components '{component}'：{month} 没有单价，该项未计费；请在 prices 中加入 {month}",
        "{place}.components '{component}': there is no price for {month}, so it is not charged; add {month} to its "
        "prices",
    ),
    "unit": _Words(
        "{place}：计量单位是 {counted}，单价却按 {unit}，无法换算，未计费；请把 unit 改为 {counted}",
        "{place}: the meters count {counted}, the price is for {unit}, and the one does not become the other, so "
        "nothing is charged; write unit: {counted}, with its price",
    ),
    "tier-unknown": _Words(
        "{place}：本年之前的用量未知或不全，按已知部分起算，合计为下限；请补齐年初以来的用量",
        "{place}: what was used since January is not fully known, and the tiers begin from what is known, so the true "
        "total may be higher; complete the use since January",
    ),
    "hot-days-unknown": _Words(
        "{place}：{days} 天不知道是否达到高温尖峰条件，按没有计算，合计为下限；请接入室外气温",
        "{place}: whether {days} days were hot enough for the sharp peak is not known; none of them is counted, so the "
        "true total may be higher; connect an outdoor temperature",
    ),
    "holidays-unknown": _Words(
        "{place}：没有 {year} 年的节假日安排，按周一至周五为工作日计算；请更新日历",
        "{place}: the holidays of {year} are not known, and Monday to Friday count as workdays; update the calendar",
        at_least=False,
    ),
    "no-capacity": _Words(
        "{place}：计费容量未知，基本电费未计；请写明 capacity，例如 capacity: 6300 kVA",
        "{place}: the capacity is not known, so there is no basic charge; give it, such as capacity: 6300 kVA",
    ),
    "no-demand": _Words(
        "{place}：本月最大需量未知，基本电费未计；请检查电表采集",
        "{place}: the maximum demand is not known, so there is no basic charge; check the meter's connection",
    ),
    "no-declaration": _Words(
        "{place}：{month} 的合约需量未知，基本电费未计；请在 contract_demand 中加入 {month}",
        "{place}: no demand is declared for {month}, so there is no basic charge; add {month} to contract_demand",
    ),
    "peak-uncertain": _Words(
        "最大需量 {kw:.1f} kW 依据的数据有 {share:.1%} 缺失，或在该时段为估计，实际可能更高",
        "the maximum demand of {kw:.1f} kW rests on data of which {share:.1%} is missing, or which is estimated at "
        "that time; the true one may be higher",
    ),
    "peak-hidden": _Words(
        "本月 {share:.1%} 的时段只知道总量，逐刻钟用量为估计，最大需量 {kw:.1f} kW 可能偏低；请与供电方抄表核对",
        "of {share:.1%} of the time only the sum was counted, and its course is estimated: a demand above {kw:.1f} kW "
        "may be hidden there; check it against the supplier's reading",
        at_least=False,
    ),
    "load-rate-unknown": _Words(
        "{place}：计费容量未知，无法判断负荷率是否达标（每千伏安260千瓦时），需量电价未打折；请写明 capacity",
        "{place}: the capacity is not known, so nobody can tell whether the load rate of 260 kWh a kVA is reached; the "
        "demand price is charged in full; give capacity",
        at_least=False,
    ),
    "load-rate-uncertain": _Words(
        "{place}：电量补齐后，每千伏安可能达到260千瓦时（容量 {capacity:g} kVA），需量电价或可按90%执行；"
        "请补录抄表数据",
        "{place}: with the energy that is missing, the load rate of 260 kWh a kVA may be reached ({capacity:g} kVA), "
        "and the demand price be 90 % of itself; enter hand readings",
        at_least=False,
    ),
    "declared-too-low": _Words(
        "{place}：合约需量 {kw:g} kW 低于容量 {capacity:g} kVA 的40%，不符合申报规定；请核对合同",
        "{place}: the declared demand of {kw:g} kW is less than 40 % of {capacity:g} kVA, which the rules do not "
        "allow; check it against the contract",
        at_least=False,
    ),
    "no-reactive": _Words(
        "{place}：无功电量未知，力调电费未计；请接入电表的无功电能",
        "{place}: reactive energy is not known, so there is no power-factor adjustment; connect the meter's reactive "
        "energy",
        at_least=False,
    ),
    "reactive-silent": _Words(
        "{place}：{registers} 没有数据，力调电费未计；请接入，电表没有该寄存器的请在站点文件中写 absent: true",
        "{place}: nothing is known of {registers}, so there is no power-factor adjustment; connect it, or write "
        "absent: true at the point if the meter has no such register",
        at_least=False,
    ),
    "no-factor": _Words(
        "{place}：{month} 有功、无功电量均为零，功率因数无从计算，未作力调",
        "{place}: neither active nor reactive energy flowed in {month}, so there is no power factor to adjust by",
        at_least=False,
    ),
    "factor-uncertain": _Words(
        "功率因数只依据本月 {share:.1%} 时段的数据；请补录有功、无功抄表数据",
        "the power factor rests on {share:.1%} of the month's time; enter hand readings of active and reactive energy",
        at_least=False,
    ),
}

CODES: Final = tuple(_WORDS)


def problem(code: str, **facts: Any) -> BillProblem:
    """Return a problem in both languages."""
    words = _WORDS[code]
    return BillProblem(code, Names(zh=words.zh.format(**facts), en=words.en.format(**facts)))


def raises_total(code: str) -> bool:
    """Return True if a bill with this problem lacks something that is charged, so that the true total is higher."""
    return _WORDS[code].at_least

"""What can be wrong with data: a code each, its name, and what to do first; docs/data-health.md has a page of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from facility.names import Names


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    One kind of trouble with data.

    Attributes
    ----------
    code : the finding's code, and the heading in docs/data-health.md
    name : what is wrong, for a title
    advice : first actions, in order
    cause : what it usually is
    standard : where the bound comes from
    """

    code: str
    name: Names
    cause: Names
    advice: tuple[Names, ...]
    standard: str


def _trouble(code: str, name: str, cause: str, *advice: str, standard: str = "typical practice") -> Trouble:
    return Trouble(code, _names(name), _names(cause), tuple(_names(step) for step in advice), standard)


def _names(text: str) -> Names:
    zh, _, en = text.partition(" | ")
    return Names(zh=zh, en=en)


_STALE: Final = "three missed intervals (domain sheet §0.2)"

TROUBLES: Final[Mapping[str, Trouble]] = {
    trouble.code: trouble
    for trouble in (
        _trouble(
            "data.not_connected", "与消息服务器断开 | Broker not connected",
            "消息服务器停机、网络中断或密码被改 | broker stopped, network cut or password changed",
            "在数据健康页看断开的原因 | See on the Data health page why it is not connected",
            "查消息服务器是否在运行，网络能否到达 | See whether the broker runs and the network reaches it",
            "恢复之前派人到氧气站等要害部位巡查 | "
            "Until it is back, send someone round the oxygen station and the like",
        ),
        _trouble(
            "data.not_stored", "读数无法保存 | Readings not stored",
            "磁盘已满或存储停机 | disk full, or the store stopped",
            "给磁盘腾出空间，或重新启动存储 | Make room on the disk, or start the store again",
            "看服务日志里的原因 | Read the reason in the service's log",
            "恢复之前派人到氧气站等要害部位巡查 | "
            "Until it is back, send someone round the oxygen station and the like",
        ),
        _trouble(
            "data.nothing_heard", "收不到任何数据 | No data from anywhere",
            "消息服务器、核心交换机或采集服务的问题，不是某台设备 | "
            "the broker, the core switch or our side, not a machine",
            "查消息服务器与核心交换机 | Look at the broker and the core switch",
            "看网关能否登录消息服务器（账号、证书） | "
            "See whether gateways can log in to the broker (password, certificate)",
            "恢复之前派人到氧气站等要害部位巡查 | "
            "Until it is back, send someone round the oxygen station and the like",
            standard=_STALE,
        ),
        _trouble(
            "data.gateway_silent", "网关无数据 | Gateway silent",
            "网关断电、死机或网络中断 | gateway without power, hung, or cut off from the network",
            "到现场看网关电源与指示灯，断电重启一次 | At the gateway look at power and lamps, restart it once",
            "查交换机端口、网线或SIM卡 | Check switch port, cable or SIM card",
            "要害参数（如氧压）恢复前安排人工巡查 | Until vital values (oxygen pressure) are back, read them on site",
            standard=_STALE,
        ),
        _trouble(
            "data.device_silent", "设备无数据 | Machine silent",
            "设备通信线、地址或其控制器断电，网关本身正常 | "
            "its bus line, address or controller power; the gateway is well",
            "看设备控制器是否有电，通信指示灯是否闪烁 | See whether its controller has power and its bus lamp blinks",
            "查通信线、终端电阻与站号 | Check bus wiring, terminating resistor and station number",
            "在隔离区看它的消息是否被拒收 | See in the quarantine whether its messages are refused",
            standard=_STALE,
        ),
        _trouble(
            "data.point_silent", "测点无数据 | Points silent",
            "传感器断线、寄存器映射改变或网关停发该项 | "
            "sensor wire, changed register map, or no longer sent by the gateway",
            "看网关最近的消息里还有没有这一项 | See whether the gateway's newest message still holds the value",
            "查传感器接线与供电 | Check the sensor's wiring and supply",
            "有意停用的测点在站点文件里写 absent: true | "
            "A point taken out on purpose: write absent: true in the site file",
            standard=_STALE,
        ),
        _trouble(
            "data.never_heard", "从未收到 | Never heard",
            "现场没有这个测点，或映射的键名不对 | the machine has no such sensor, or its key is mapped wrongly",
            "现场没有的测点在站点文件里写 absent: true | "
            "For a sensor that does not exist write absent: true in the site file",
            "有的测点核对键名，并看隔离区里的未知键 | "
            "For one that does, check its key and the unknown keys in quarantine",
        ),
        _trouble(
            "data.stuck", "数值不变 | Value stuck",
            "传感器或变送器失效、网关重复发送旧值、探头堵塞 | "
            "dead sensor, gateway repeating an old value, clogged probe",
            "用便携仪表在现场比对 | Compare with a portable instrument on site",
            "看网关是否在重复发送旧值 | See whether the gateway repeats an old value",
            "确认是真实不变（如手动固定频率）则在工单里说明 | "
            "If it truly stands (a drive left in manual), say so in the ticket",
            standard="no change for 6 to 24 h on an analogue that should move (domain sheet §0.2)",
        ),
        _trouble(
            "data.noise_lost", "信号失去波动 | Signal gone flat",
            "传感器失效、滤波被加大、探头结垢 | dying sensor, heavier filtering, fouled probe",
            "用便携仪表在现场比对 | Compare with a portable instrument on site",
            "问是否改过变送器的阻尼或网关的滤波 | Ask whether damping or the gateway's filter was changed",
        ),
        _trouble(
            "data.jumps", "数值跳变 | Value jumps",
            "接触不良、干扰、寄存器错位 | loose contact, interference, wrong register",
            "查接线端子与屏蔽接地 | Check terminals and the screen's earth",
            "看跳变是否总是同一数值（寄存器错位） | See whether it always jumps to the same value (wrong register)",
            standard="max_rate of the equipment class",
        ),
        _trouble(
            "data.gaps", "数据有缺口 | Gaps in the data",
            "通信不稳、总线过载、网关存储不足 | unstable link, overloaded bus, gateway without memory",
            "看缺口是否与网络中断时间一致 | See whether the gaps fall together with network trouble",
            "放慢轮询，或减少一条总线上的设备 | Poll more slowly, or put fewer machines on one bus",
            "打开网关的断点续传 | Switch on the gateway's store-and-forward",
        ),
        _trouble(
            "data.out_of_range", "数值不可能 | Impossible values",
            "量程、单位、倍率或字节序不对，或传感器断线 | wrong range, unit, factor or byte order, or a broken wire",
            "核对站点文件里的单位与倍率 | Check unit and scale in the site file",
            "查传感器量程与断线 | Check the sensor's range and wire",
        ),
        _trouble(
            "data.clock_offset", "网关时钟不准 | Gateway clock wrong",
            "没有校时或时区设错 | no time service, or the wrong time zone",
            "给网关设NTP与时区 | Give the gateway a time server (NTP) and its time zone",
            "封闭网络里用医院自己的时间服务器 | On a closed network use the hospital's own time server",
        ),
    )
}  # fmt: skip

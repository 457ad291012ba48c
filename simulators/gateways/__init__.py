"""Gateways: what stands between sensors and the broker, each with a clock, a memory and a form of its own."""

from simulators.gateways.commands import command, command_topic, repair_command
from simulators.gateways.gateway import GatewayStatus
from simulators.gateways.publisher import Publisher
from simulators.gateways.reporting import Reporter, reporter_of, reporters

__all__ = [
    "GatewayStatus",
    "Publisher",
    "Reporter",
    "command",
    "command_topic",
    "repair_command",
    "reporter_of",
    "reporters",
]

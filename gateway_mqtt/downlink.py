"""Commands on their way down to one device, and the answers that come back up."""

import asyncio
import itertools

from gateway_mqtt import codec


class CommandFailed(Exception):
    """A command that brought no answer; `DeviceAway | DeviceBusy | DeviceRefused | DeviceSilent`."""


class DeviceAway(CommandFailed):
    """The device is not connected here, does not listen to commands, or left before it answered."""


class DeviceBusy(CommandFailed):
    """The device has as many unanswered commands as it may have, or does not read what is sent to it."""


class DeviceRefused(CommandFailed):
    """The device acknowledged the command with an error, or the command is larger than it takes."""


class DeviceSilent(CommandFailed):
    """The device is connected but did not answer in time: whether it obeyed is not known."""


class Command:
    """One command under way; `answer` is settled by the device's answer, its refusal, or its leaving."""

    __slots__ = ("acknowledged", "answer", "answered", "correlation", "dead_at", "packet_id")

    def __init__(self, packet_id: int, correlation: bytes, answer: asyncio.Future[bytes], dead_at: float) -> None:
        self.packet_id = packet_id
        self.correlation = correlation
        self.answer = answer
        self.dead_at = dead_at
        self.acknowledged = not packet_id
        self.answered = False

    def refuse(self, error: CommandFailed) -> None:
        self.answered = True
        if not self.answer.done():
            self.answer.set_exception(error)


class Downlink:
    """What is under way to one connection: at most `window` commands, QoS 1 where the device asked for it.

    A device without correlation data (3.1.1) answers in order, so its next answer belongs to the oldest command that still may be
    answered. A command that timed out keeps its place for `late_s`: a late answer must never pass for the answer to the next command.
    """

    __slots__ = ("_commands", "_late_s", "_numbers", "_packet_bytes_max", "_topic", "_version", "_window", "qos")

    def __init__(self, topic: str, version: int, qos: int, *, window: int, packet_bytes_max: int, late_s: float) -> None:
        self._topic = topic
        self._version = version
        self.qos = qos
        self._window = window
        self._packet_bytes_max = packet_bytes_max
        self._late_s = late_s
        self._numbers = itertools.count(1)
        self._commands: list[Command] = []

    def issue(self, payload: bytes, now: float, timeout_s: float) -> tuple[bytes, Command]:
        """The packet to write and the command to wait for; raises `DeviceBusy` or `DeviceRefused`."""
        self._bury(now)
        if len(self._commands) >= self._window:
            raise DeviceBusy(f"{len(self._commands)} commands are under way already")
        command = self._new_command(now + timeout_s + self._late_s)
        packet = codec.publish(
            self._version,
            f"{self._topic}/command",
            payload,
            packet_id=command.packet_id,
            expiry_s=max(1, round(timeout_s)),
            response_topic=f"{self._topic}/answer",
            correlation=command.correlation,
        )
        if len(packet) > self._packet_bytes_max:
            raise DeviceRefused("the command is larger than the device takes")
        self._commands.append(command)
        return packet, command

    def acknowledged(self, packet_id: int, reason: int) -> None:
        """The device has taken the command, or with a reason from 0x80 on will not."""
        for command in self._commands:
            if command.packet_id == packet_id and not command.acknowledged:
                command.acknowledged = True
                if reason >= codec.UNSPECIFIED:
                    command.refuse(DeviceRefused(f"the device refused with reason 0x{reason:02x}"))

    def answered(self, correlation: bytes | None, payload: bytes, now: float) -> bool:
        """Settles the command this answers; False when nobody asked."""
        self._bury(now)
        for command in self._commands:
            if not command.answered and correlation in (None, command.correlation):
                command.answered = True
                if not command.answer.done():
                    command.answer.set_result(payload)
                return True
        return False

    def give_up(self) -> None:
        for command in self._commands:
            command.refuse(DeviceAway("the device left before it answered"))
        self._commands.clear()

    def _new_command(self, dead_at: float) -> Command:
        number = next(self._numbers)
        packet_id = number % 65_535 + 1 if self.qos else 0  # Far fewer than 65,535 are ever under way: none is used twice.
        return Command(packet_id, number.to_bytes(8, "big"), asyncio.get_running_loop().create_future(), dead_at)

    def _bury(self, now: float) -> None:
        """Forgets commands of which nothing can come any more."""
        self._commands = [each for each in self._commands if now < each.dead_at and not (each.acknowledged and each.answered)]

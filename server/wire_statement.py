"""One statement of a wire's client: what it gives leaves as there is credit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from hartonomous.server import wire
from hartonomous.server.events import Finished, Rows
from hartonomous.server.wire_sending import Gathered, Sender
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    from hartonomous.server.running import Running
    from hartonomous.server.wire import EventWriter, Frame

#: rows frames that a statement may send before its client says more
CREDIT = 4
CREDIT_MAX = 1 << 20


class Statement:
    """`credit`: rows frames that may be sent; `steps`: results that may be begun, None: all."""

    __slots__ = ("_waiter", "credit", "is_closed", "number", "running", "steps")

    def __init__(self, number: int, running: Running, credit: int, stepwise: bool) -> None:
        self.number, self.running, self.credit = number, running, min(credit, CREDIT_MAX)
        self.steps: int | None = 0 if stepwise else None
        self.is_closed = False
        self._waiter: asyncio.Future[None] | None = None

    # --- what its client says ---

    def add_credit(self, count: int) -> None:
        """So many more rows frames may be sent."""
        self.credit = min(self.credit + max(0, count), CREDIT_MAX)
        self.wake()

    def go_on(self) -> None:
        """One more result may be begun."""
        if self.steps is not None:
            self.steps += 1
            self.wake()

    def cancel(self) -> None:
        """It is to end with Cancelled."""
        self.running.cancel()
        self.wake()

    def close(self) -> None:
        """Nobody wants more of it."""
        self.is_closed = True
        self.cancel()

    def wake(self) -> None:
        """Something that it may wait for came."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- what it says ---

    async def follow(self, sender: Sender, writer: EventWriter, state: Callable[[], Frame]) -> None:
        """Sends what it gives, to its end; the last frame is complete, error or done. `state` is
        what the session is like. Raises ConnectionError."""
        out, running = Gathered(sender), self.running
        try:
            await self._pass_on(out, writer)
        except Error as error:
            await running.close()
            if self.is_closed:
                out.clear()
                last: Frame = {"type": "done", "id": self.number}
            else:
                last = wire.error_frame(error, self.number)
            await out.add(wire.pack({**last, "state": state()}))
            await out.flush()
        finally:
            if not running.is_over:
                await running.close()

    async def _pass_on(self, out: Gathered, writer: EventWriter) -> None:
        running = self.running
        while True:
            event = running.take()
            if event is None:
                await out.flush()
                event = await anext(running, None)
                if event is None:
                    return
            if type(event) is Rows:
                if self.credit <= 0:
                    await out.flush()
                    while self.credit <= 0:
                        await self._wait()
                self.credit -= 1
                await out.add_rows(self.number, event)
                continue
            await out.add(writer.write(self.number, event))
            if type(event) is Finished and self.steps is not None:
                await out.flush()
                while self.steps <= 0:
                    await self._wait()
                self.steps -= 1

    async def _wait(self) -> None:
        """Returns when something came. Raises Cancelled if it is cancelled, or was before."""
        if not self.running.is_cancelled:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.running.is_cancelled:
            raise Cancelled("the statement was cancelled")

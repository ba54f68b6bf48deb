"""asyncio on the bench's clock: its queue is keyed in bench milliseconds and its poll waits respect the speed factor.

The port's own task queue is C and reads the desk's clock; these two classes keep the contract that `asyncio.core` has
with it. `IOQueue` also listens to the event stream, so interrupts strike while every task sleeps.
"""

import asyncio
import select
from asyncio import core

import port_time
import simbus
import time


class TaskQueue:
    """Tasks by due time; equal times in order of arrival. A handful of tasks: a sorted list is enough."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        task.data = None
        task.ph_key = key = time.ticks_ms() if key is None else key
        i = len(self._tasks)
        while i and self._tasks[i - 1].ph_key > key:
            i -= 1
        self._tasks.insert(i, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """`state`: True while it runs, a TaskQueue of those who wait for it, None or False when it has ended.
    `data`: what it waits on, or how it ended.
    """

    def __init__(self, coro, globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0

    def done(self):
        return not self.state

    def __iter__(self):
        if not self.state:
            self.state = False  # its result is about to be seen
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        self.state.push(core.cur_task)
        core.cur_task.data = self

    def cancel(self):
        if not self.state:
            return False
        if self is core.cur_task:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        if hasattr(task.data, "remove"):  # it waits on an event, a lock or a stream
            task.data.remove(task)
            core._task_queue.push(task)
        elif task.ph_key > time.ticks_ms():  # it sleeps
            core._task_queue.remove(task)
            core._task_queue.push(task)
        task.data = core.CancelledError
        return True


class IOQueue(core.IOQueue):
    def __init__(self):
        super().__init__()
        self.poller.register(simbus.events, select.POLLIN)

    def wait_io_event(self, dt):
        if dt > 0:
            simbus.settle()
            us = simbus.real_us(dt * 1000)
            if us < 1000:
                port_time.sleep_us(us)
            dt = us // 1000
        while True:
            struck = False
            for stream, event in self.poller.ipoll(dt):
                if stream is simbus.events:
                    struck = True
                else:
                    self._wake(stream, event)
            if struck:
                simbus.pump()
            if dt >= 0 or core._task_queue.peek():
                return
            # Only an interrupt struck and it woke no task: core expects that something is due now.

    def _wake(self, stream, event):
        waiting = self.map[id(stream)]
        if event & ~select.POLLOUT and waiting[0] is not None:
            core._task_queue.push(waiting[0])
            waiting[0] = None
        if event & ~select.POLLIN and waiting[1] is not None:
            core._task_queue.push(waiting[1])
            waiting[1] = None
        if waiting[0] is None and waiting[1] is None:
            self._dequeue(stream)
        else:
            self.poller.modify(stream, select.POLLOUT if waiting[0] is None else select.POLLIN)


_sleep_ms = core.sleep_ms


def sleep_ms(ms):
    """As the port's. What was posted counts from when the bench has done it: a busy desk must not shorten a pulse."""
    simbus.settle()
    return _sleep_ms(ms)


def install():
    for module in (core, asyncio):
        module.sleep_ms = sleep_ms
        module.TaskQueue = TaskQueue
        module.Task = Task
        module.IOQueue = IOQueue
        module.ticks = time.ticks_ms
    core.new_event_loop()

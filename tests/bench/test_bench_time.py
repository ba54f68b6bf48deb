"""Time on the bench: its clock, its speed, and asyncio, timers and interrupts that follow it."""

import time

import pytest
from microtill.bench.clock import Clock
from support.bench import LOOPBACK, bench, run


def test_clock_does_not_jump_when_its_speed_changes():
    clock = Clock(1000)
    while clock.now_us() < 50_000:
        time.sleep(0.001)
    before = clock.now_us()
    clock.set_speed(0.01)
    after = clock.now_us()
    assert before <= after < before + 1_000_000
    assert clock.now_us() - after < 1000


def test_clock_runs_what_is_due_in_order_and_not_what_was_cancelled():
    clock = Clock()
    ran = []
    clock.after(30_000, lambda: ran.append("late"))
    clock.after(10_000, lambda: ran.append("early"))
    clock.after(20_000, lambda: ran.append("never")).cancel()
    deadline = time.monotonic() + 5
    while len(ran) < 2 and time.monotonic() < deadline:
        clock.run_due()
    assert ran == ["early", "late"]
    assert clock.wait() is None


def test_clock_refuses_speeds_it_cannot_keep():
    for speed in (0, -1, 1001):
        with pytest.raises(ValueError, match="speed"):
            Clock(speed)


def test_sleeps_last_in_bench_time_and_pass_quickly(tmp_path):
    started = time.monotonic()
    lines = run(
        tmp_path,
        """
        import asyncio, time
        def took(t):
            return time.ticks_diff(time.ticks_ms(), t)
        t = time.ticks_ms()
        time.sleep(5)
        print(took(t))
        async def main():
            t = time.ticks_ms()
            await asyncio.sleep(5)
            print(took(t))
        asyncio.run(main())
        """,
        speed=20,
    )
    assert time.monotonic() - started < 8
    for took in map(int, lines):
        assert 5000 <= took < 8000


def test_a_change_of_speed_reaches_tasks_that_already_sleep(tmp_path):
    script = """
        import asyncio
        async def main():
            print("sleeping")
            await asyncio.sleep(60)
        asyncio.run(main())
        """
    with bench(tmp_path, script) as b:
        b.wait_line("sleeping")
        started = time.monotonic()
        b.set_speed(100)
        assert b.wait_exit(20) == 0
        assert time.monotonic() - started < 10
        assert b.now_us() > 60_000_000


def test_a_change_of_speed_reaches_a_blocking_sleep(tmp_path):
    with bench(tmp_path, "import time\nprint('sleeping')\ntime.sleep(60)") as b:
        b.wait_line("sleeping")
        b.set_speed(200)
        assert b.wait_exit(20) == 0


def test_the_real_time_clock_starts_at_2000_and_outlives_a_reset_but_not_the_power(tmp_path):
    script = """
        import machine, time
        rtc = machine.RTC()
        year = rtc.datetime()[0]
        print(machine.reset_cause(), year, time.localtime()[0], time.time() > 800000000, len(time.localtime()))
        if year == 2000:
            rtc.datetime((2026, 3, 1, 0, 12, 34, 56, 0))
            print(time.localtime()[:6])
            rtc.memory(b"kept")
            machine.reset()
        print(rtc.memory())
        """
    with bench(tmp_path, script) as b:
        assert b.wait_exit() == 0
        assert b.console_lines() == [
            "1 2000 2000 False 8",
            "(2026, 3, 1, 12, 34, 56)",
            "2 2026 2026 True 8",
            "b'kept'",
        ]
        b.power_cut()
        b.power_on()
        assert b.wait_line("1 2000")


def test_asyncio_keeps_its_contract_on_the_bench_clock(tmp_path):
    lines = run(
        tmp_path,
        """
        import asyncio, time

        async def late(value, ms):
            await asyncio.sleep_ms(ms)
            return value

        async def failing():
            raise ValueError("mine")

        async def stubborn(log):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                log.append("cancelled")
                raise

        async def main():
            print(await asyncio.gather(late(1, 30), late(2, 10), late(3, 20)))
            try:
                await asyncio.wait_for_ms(late(4, 5000), 20)
            except asyncio.TimeoutError:
                print("timeout")
            print(await asyncio.wait_for_ms(late(5, 10), 5000))
            task = asyncio.create_task(failing())
            try:
                await task
            except ValueError as e:
                print(e, task.done())
            log = []
            task = asyncio.create_task(stubborn(log))
            await asyncio.sleep_ms(0)
            print(task.cancel(), task.done())
            try:
                await task
            except asyncio.CancelledError:
                print(log, task.done(), task.cancel())
            event, order = asyncio.Event(), []
            async def waiter(n):
                await event.wait()
                order.append(n)
            tasks = [asyncio.create_task(waiter(n)) for n in range(4)]
            await asyncio.sleep_ms(1)
            tasks[1].cancel()
            event.set()
            await asyncio.sleep_ms(1)
            print(order)
            lock = asyncio.Lock()
            async def hold(n):
                async with lock:
                    await asyncio.sleep_ms(5)
                    order.append(n)
            await asyncio.gather(hold(7), hold(8))
            print(order)

        asyncio.run(main())
        print("ended", asyncio.run(late("again", 1)))
        """,
        speed=5,
    )
    assert lines == [
        "[1, 2, 3]",
        "timeout",
        "5",
        "mine True",
        "True False",
        "['cancelled'] True False",
        "[0, 2, 3]",
        "[0, 2, 3, 7, 8]",
        "ended again",
    ]


def test_tasks_that_are_always_ready_do_not_starve_one_that_sleeps(tmp_path):
    lines = run(
        tmp_path,
        """
        import asyncio, time
        a, b = asyncio.Event(), asyncio.Event()
        async def ping(mine, other):
            while True:
                await mine.wait()
                mine.clear()
                other.set()
        async def main():
            asyncio.create_task(ping(a, b))
            asyncio.create_task(ping(b, a))
            a.set()
            t = time.ticks_ms()
            await asyncio.sleep_ms(100)
            print(time.ticks_diff(time.ticks_ms(), t) < 2000)
        asyncio.run(main())
        """,
    )
    assert lines == ["True"]


def test_interrupts_strike_while_tasks_sleep_while_it_blocks_and_while_it_talks(tmp_path):
    script = """
        import asyncio, time
        from machine import Pin, SPI
        spi = SPI(1, 1000000, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
        cs, other = Pin(10, Pin.OUT, value=0), Pin(8, Pin.OUT, value=1)
        line = Pin(9, Pin.IN, Pin.PULL_DOWN)
        seen = []
        flag = asyncio.ThreadSafeFlag()
        def struck(pin):
            seen.append(pin())
            flag.set()
        line.irq(struck, Pin.IRQ_RISING | Pin.IRQ_FALLING)
        def provoke():
            spi.write(b"\\x80")
        async def main():
            provoke()
            await flag.wait()
            await asyncio.sleep_ms(50)
            print("asyncio", seen)
            seen.clear()
            provoke()
            time.sleep_ms(50)
            print("sleep", seen)
            seen.clear()
            provoke()
            end = time.ticks_add(time.ticks_ms(), 1000)
            while len(seen) < 2 and time.ticks_diff(end, time.ticks_ms()) > 0:
                line()
            print("talking", seen)
            seen.clear()
            import machine
            state = machine.disable_irq()
            provoke()
            time.sleep_ms(20)
            print("masked", seen)
            machine.enable_irq(state)
            time.sleep_ms(20)
            print("unmasked", len(seen))
            line.irq(None)
            seen.clear()
            provoke()
            time.sleep_ms(20)
            print("off", seen)
        asyncio.run(main())
        """
    lines = run(tmp_path, script, LOOPBACK)
    # The handler reads the line itself, so a late delivery may find it low again; that both edges came is what counts.
    assert [line.split(" [")[0] for line in lines] == ["asyncio", "sleep", "talking", "masked", "unmasked 2", "off"]
    assert all(line.count(",") == 1 for line in lines[:3]), lines
    assert lines[3] == "masked []"
    assert lines[5] == "off []"


def test_an_interrupt_handler_that_raises_is_reported_and_taken_off(tmp_path):
    script = """
        import time
        from machine import Timer
        calls = []
        def bad(timer):
            calls.append(1)
            raise ValueError("in the handler")
        Timer(0, period=10, callback=bad)
        time.sleep_ms(200)
        print(len(calls))
        """
    lines = run(tmp_path, script)
    assert any("in the handler" in line for line in lines)
    assert lines[-1] == "1"


def test_timers_strike_once_or_again_and_again_until_deinit(tmp_path):
    lines = run(
        tmp_path,
        """
        import time
        from machine import Timer
        once, often = [], []
        a = Timer(0, mode=Timer.ONE_SHOT, period=20, callback=lambda t: once.append(t))
        b = Timer(1, freq=50, callback=lambda t: often.append(t))
        time.sleep_ms(500)
        n = len(often)
        print(len(once), once[0] is a, 20 <= n <= 26, n)
        b.deinit()
        time.sleep_ms(100)
        print(len(often) - n <= 1)
        """,
    )
    assert lines[0].startswith("1 True True"), lines
    assert lines[1] == "True"


def test_the_watchdog_bites_in_bench_time_when_it_is_not_fed(tmp_path):
    script = """
        import machine, time
        print("cause", machine.reset_cause())
        if machine.reset_cause() == machine.WDT_RESET:
            raise SystemExit
        w = machine.WDT(timeout=2000)
        for _ in range(4):
            time.sleep_ms(1000)
            w.feed()
        print("fed")
        time.sleep(60)
        print("never")
        """
    with bench(tmp_path, script, speed=10) as b:
        assert b.wait_line("cause 3")
        assert b.wait_exit() == 0
        assert b.console_lines() == ["cause 1", "fed", "cause 3"]
        assert b.state()["resets"] == [1, 3]

"""Work: jobs are answered, told of, refused, and ended with their process when they must be."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from causalflow.app.work import Crew, Limits

START = {
    "graph": None,
    "name": "",
    "format": "yaml",
    "models": [],
    "data": None,
    "plugins": ["app_test_handlers"],
}


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch):
    """Workers find the module that this folder holds."""
    path = f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    monkeypatch.setenv("PYTHONPATH", path)


def crewed(use, **limits):
    """What a coroutine makes of a crew, whose processes are gone after it."""

    async def main():
        crew = Crew(START, Limits(**{"memory": 4 << 30, **limits}))
        try:
            return await use(crew)
        finally:
            await crew.close()

    return asyncio.run(main())


def untold(event):
    pass


def test_answers_and_tells_of_progress():
    told = []

    async def use(crew):
        return await crew.run("sleep", {"seconds": 0.01}, told.append)

    assert crewed(use)["answer"]["process"] != os.getpid()
    assert [event["progress"] for event in told] == [i / 10 for i in range(10)]
    assert told[3]["said"] == "slept 3"


def test_mistakes_are_placed_faults_say_no_more_than_their_kind_and_the_process_goes_on():
    async def use(crew):
        names = ["mistake", "fault", "nan", "gobble", "kept", "kept"]
        return [await crew.run(name, {"key": 1}, untold) for name in names]

    mistake, fault, nan, gobble, *kept = crewed(use, processes=1)
    assert mistake == {"mistake": {"message": "node 'x': no such type", "line": 3, "column": None}}
    assert fault == {"fault": "KeyError"}
    assert nan == {"fault": "ValueError"}
    assert "out of memory" in gobble["mistake"]["message"]
    assert kept[0] == kept[1]


def test_process_that_dies_is_replaced():
    async def use(crew):
        lost = await crew.run("die", {}, untold)
        return lost, await crew.run("kept", {"key": 1}, untold)

    lost, answer = crewed(use, processes=1)
    assert "ended" in lost["mistake"]["message"]
    assert "answer" in answer


def test_work_beyond_its_seconds_is_given_up_and_its_process_ended():
    async def use(crew):
        given_up = await crew.run("loop", {}, untold)
        return given_up, await crew.run("kept", {"key": 1}, untold)

    given_up, answer = crewed(use, processes=1, seconds=8.0)
    assert "given up after 8 s" in given_up["mistake"]["message"]
    assert "answer" in answer


def test_work_whose_asker_has_gone_ends():
    async def use(crew):
        first = await crew.run("kept", {"key": 1}, untold)
        job = asyncio.ensure_future(crew.run("loop", {}, untold))
        await asyncio.sleep(0.5)
        job.cancel()
        await asyncio.wait([job])
        return first, await crew.run("kept", {"key": 1}, untold)

    first, second = crewed(use, processes=1, grace=0.2)
    assert first["answer"] != second["answer"]


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 9])
def test_asker_who_goes_while_the_process_starts_leaves_it_to_the_next(turns):
    async def use(crew):
        leaver = asyncio.ensure_future(crew.run("loop", {}, untold))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        async with asyncio.timeout(60):
            return await crew.run("kept", {"key": 1}, untold)

    assert "kept" in crewed(use, processes=1)["answer"]


def test_short_work_whose_asker_has_gone_keeps_its_process():
    async def use(crew):
        first = await crew.run("kept", {"key": 1}, untold)
        job = asyncio.ensure_future(crew.run("sleep", {"seconds": 0.5}, untold))
        await asyncio.sleep(0.1)
        job.cancel()
        await asyncio.wait([job])
        return first, await crew.run("kept", {"key": 1}, untold)

    first, second = crewed(use, processes=1, grace=30.0)
    assert first["answer"] == second["answer"]


def test_jobs_meet_the_cache_of_the_first_process_that_is_free():
    async def use(crew):
        jobs = [crew.run("kept", {"key": i % 2}, untold) for i in range(30)]
        return await asyncio.gather(*jobs)

    assert len({end["answer"]["kept"] for end in crewed(use, processes=2, patience=60.0)}) == 1


def test_more_waiting_jobs_than_the_limit_are_refused():
    async def use(crew):
        jobs = [crew.run("sleep", {"seconds": 0.1}, untold) for _ in range(20)]
        return await asyncio.gather(*jobs)

    ends = crewed(use, processes=1, waiting=5, patience=60.0)
    assert sum("busy" in end for end in ends) == 14
    assert sum("answer" in end for end in ends) == 6


def test_second_process_is_started_where_the_first_is_long_at_work():
    async def use(crew):
        jobs = [crew.run("sleep", {"seconds": 4.0}, untold) for _ in range(2)]
        return await asyncio.gather(*jobs)

    began = time.monotonic()
    processes = {end["answer"]["process"] for end in crewed(use, processes=2, patience=0.1)}
    assert len(processes) == 2, f"{time.monotonic() - began:.1f} s"

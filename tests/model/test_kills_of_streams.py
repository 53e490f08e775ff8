"""Two processes against one, and kills at random: the long version is `kills_of_streams`."""

import random

import pytest
import torch
from kills_of_streams import disturbed


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
def test_a_stream_killed_twice_under_two_processes_ends_with_the_bytes_of_one(tmp_path):
    """At moments no one chose: the launcher with both processes, or one of these."""
    told = disturbed(tmp_path, 2, random.randrange(2**31), 120, ways=("all", "one"), counts=(2,))
    assert told.kills.total() == 2
    assert told.files == (10 + 1) + (5 + 1)
    assert told.same

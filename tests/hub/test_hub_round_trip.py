from functools import cache

import numpy as np
import pytest
from hub_stand_in import TOKEN, model_hub

import causalflow as cf
from causalflow.errors import CausalflowError, CheckpointError
from causalflow.hub import repository
from causalflow.hub.pretrained import from_pretrained

constants = pytest.importorskip("huggingface_hub.constants")

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # its LFS upload

COINS = """
graph: coins
nodes:
  x: {type: class, levels: 2}
  y: {type: class, levels: 2}
edges: [x -> y]
"""


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with model_hub() as (found, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # large files by plain LFS
        yield found


@cache
def coins(share):
    model = cf.compile(cf.loads(COINS))
    x = np.arange(100) % 2
    model.fit({"x": x, "y": np.where(np.arange(100) < share, x, 1 - x)}, progress=False)
    return model


def chance(model):
    return model.ask("P(y=1 | do(x=1))").value


def test_a_model_goes_to_the_hub_and_comes_back_byte_for_byte(hub):
    model = coins(80)
    address = model.push_to_hub("ada/coins", token=TOKEN, private=True, license="mit")
    at, files = hub.files("ada/coins", "main")
    assert address.endswith(f"/ada/coins/commit/{at}")
    assert set(files) == {
        "README.md",
        "config.json",
        "graph.png",
        "graph.yaml",
        "model.safetensors",
    }
    assert b'cf.from_pretrained("ada/coins")' in files["README.md"]
    again = from_pretrained("ada/coins", token=TOKEN)
    assert chance(again) == chance(model)
    for name, tensor in model.scm.state_dict().items():
        assert np.array_equal(tensor, again.scm.state_dict()[name], equal_nan=True)


def test_only_the_files_of_the_model_are_fetched(hub):
    coins(80).push_to_hub("ada/coins", token=TOKEN)
    hub.commit("ada/coins", "main", [{"key": "file", "value": {"path": "run.py", "content": ""}}])
    hub.asked.clear()
    from_pretrained("ada/coins")
    names = {path.rpartition("/")[2] for way, path in hub.asked if way == "GET"}
    assert names == {"config.json", "graph.yaml", "model.safetensors"}


def test_a_revision_is_read_as_it_was(hub):
    first = coins(80).push_to_hub("ada/coins", token=TOKEN).rpartition("/")[2]
    coins(60).push_to_hub("ada/coins", token=TOKEN)
    coins(90).push_to_hub("ada/coins", token=TOKEN, branch="next")
    now, then, following = (
        chance(from_pretrained("ada/coins", revision=at)) for at in (None, first, "next")
    )
    assert [float(each) for each in (now, then, following)] == pytest.approx([0.6, 0.8, 0.9])


def test_what_is_in_the_cache_is_read_when_the_hub_is_away(hub, monkeypatch):
    coins(80).push_to_hub("ada/coins", token=TOKEN)
    from_pretrained("ada/coins")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert chance(from_pretrained("ada/coins")) == pytest.approx(0.8)


def test_a_file_that_was_altered_on_the_hub_is_refused(hub):
    coins(80).push_to_hub("ada/coins", token=TOKEN)
    _, files = hub.files("ada/coins", "main")
    files["graph.yaml"] = files["graph.yaml"].replace(b"coins", b"coats")
    with pytest.raises(CheckpointError, match=r"graph\.yaml is altered or damaged"):
        from_pretrained("ada/coins")


def test_a_config_that_names_files_elsewhere_fetches_none_of_them(hub):
    coins(80).push_to_hub("ada/coins", token=TOKEN)
    _, files = hub.files("ada/coins", "main")
    files["config.json"] = files["config.json"].replace(b'"graph.yaml"', b'"../../graph.yaml"')
    hub.asked.clear()
    with pytest.raises(CheckpointError, match="damaged"):
        from_pretrained("ada/coins")
    assert {path for way, path in hub.asked if way == "GET"} == {
        "/ada/coins/resolve/main/config.json"
    }


def test_who_may_not_is_told_in_a_line_without_the_token(hub):
    coins(80).push_to_hub("ada/coins", token=TOKEN, private=True)
    for ask in (
        lambda: from_pretrained("ada/coins", token="hf_other"),
        lambda: from_pretrained("ada/none", token=TOKEN),
        lambda: from_pretrained("ada/coins", revision="no", token=TOKEN),
        lambda: coins(80).push_to_hub("ada/new", token="hf_other"),
    ):
        with pytest.raises(CheckpointError, match=r"^ada/") as error:
            ask()
        assert "\n" not in str(error.value)
        assert "hf_" not in str(error.value)


@pytest.mark.parametrize("name", ["coins", "a/b/c", "../x", "ada/", 3])
def test_a_name_that_is_no_repository_is_refused_before_anything_is_sent(hub, name):
    with pytest.raises(CheckpointError, match="expected owner/name"):
        coins(80).push_to_hub(name, token=TOKEN)
    assert hub.asked == []


def test_pieces_and_pictures_that_a_newer_model_has_not_are_deleted(hub):
    model = coins(80)
    model.push_to_hub("ada/coins", token=TOKEN, piece="8B")
    assert any("-of-" in name for name in hub.files("ada/coins", "main")[1])
    model.push_to_hub("ada/coins", token=TOKEN)
    assert not any("-of-" in name for name in hub.files("ada/coins", "main")[1])


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(CausalflowError, match=r"causalflow-engine\[hub\]"):
        repository.fetch("ada/coins")

"""Two folders of pictures that another program made, and a table: the scores are closed forms.

A picture has a ground of 50 levels and a square of 6 x 6 pixels, left or right, of some shade. The
tool makes the square 3 levels, and all else 1 level, brighter than it should be; what it gives back
under no intervention is 2 levels brighter, and what it undoes 4.
"""

import csv
import json
import math
import subprocess
import sys

import pytest
from PIL import Image, ImageDraw

import causalflow as cf

N, SIZE, SIDE, GROUND = 48, 16, 6, 50
SQUARE = SIDE**2 / SIZE**2
ERROR = 3 * SQUARE + 1 * (1 - SQUARE)
ROOT = math.sqrt(9 * SQUARE + 1 * (1 - SQUARE))


def draw(path, place, shade, *, brighter=(0, 0)):
    """One picture: the ground, and the square, so many levels brighter."""
    picture = Image.new("L", (SIZE, SIZE), GROUND + brighter[0])
    left = 1 if place == "left" else SIZE - 1 - SIDE
    corner = (left, 5, left + SIDE - 1, 5 + SIDE - 1)
    ImageDraw.Draw(picture).rectangle(corner, fill=round(shade) + brighter[1])
    path.parent.mkdir(exist_ok=True)
    picture.save(path)


def made(folder):
    """The folders and the table of the other program."""
    rows = []
    for k in range(N):
        place, shade, other = ("left", "right")[k % 2], 100 + 2 * k, 100 + 2 * ((k + 13) % N)
        row = {"factual": f"{k:02}.png", "shade": shade, "place": place}
        draw(folder / "real" / row["factual"], place, shade)
        draw(folder / "null" / row["factual"], place, shade, brighter=(2, 2))
        for do, new in (("shade", (place, other)), ("place", (("right", "left")[k % 2], shade))):
            name = f"{k:02}_{do}.png"
            draw(folder / "made" / name, *new, brighter=(1, 3))
            draw(folder / "true" / name, *new)
            draw(folder / "back" / name, place, shade, brighter=(4, 4))
            files = {"counterfactual": name, "truth": name, "reversed": name}
            set_to = {"do(shade)": new[1] if do == "shade" else ""}
            set_to |= {"do(place)": new[0] if do == "place" else ""}
            rows.append({**row, **files, **set_to})
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def without_column(folder, name, columns):
    """The table once more, without some columns."""
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = [column for column in rows[0] if column not in columns]
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


FOLDERS = {"factual": "real", "counterfactual": "made", "truth": "true"}
FOLDERS |= {"null": "null", "reversed": "back"}


def folders(folder, names=FOLDERS):
    return {kind: folder / names[kind] for kind in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made(tmp_path_factory.mktemp("tool"))


@pytest.fixture(scope="module")
def found(folder):
    gallery = cf.Gallery.read(folder / "table.csv", **folders(folder))
    return cf.evaluate(gallery, judge_epochs=20, progress=False)


def number(found, query, metric, detail=""):
    (one,) = [
        each
        for each in found.measures
        if (each.query, each.name, each.detail) == (query, metric, detail)
    ]
    return one


@pytest.mark.parametrize("query", ["do(shade)", "do(place)"])
@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("true error", ERROR),
        ("root mean square", ROOT),
        ("PSNR", 20 * math.log10(255 / ROOT)),
        ("reversibility", 4),
    ],
)
def test_true_errors_and_reversibility_are_closed_forms(found, query, metric, value):
    score = number(found, query, metric).score
    assert score.value == pytest.approx(value, rel=1e-6)
    assert score.count == N


def test_errors_are_parted_by_what_truly_changes(found):
    # The shade changes the square alone; the place uncovers the ground where the square was.
    assert number(found, "do(shade)", "changed pixels").score.value == pytest.approx(3)
    assert number(found, "do(place)", "changed pixels").score.value == pytest.approx(2)
    for query in ("do(shade)", "do(place)"):
        assert number(found, query, "unchanged pixels").score.value == pytest.approx(1)
    left = number(found, "do(shade)", "changed pixels")
    apart = [abs(2 * ((k + 13) % N) - 2 * k) for k in range(N)]
    assert left.baseline.value == pytest.approx(sum(apart) / N)
    assert left.difference.value == pytest.approx(3 - sum(apart) / N)
    low, high = left.difference.interval
    assert low < left.difference.value < high < 0


def test_composition_is_of_distinct_pictures(found):
    score = number(found, "do()", "composition", "1 cycle").score
    assert (score.value, score.count) == (pytest.approx(2), N)


def test_judges_never_see_the_pictures_that_they_are_asked_about(found):
    place = number(found, "do(place)", "effectiveness", "place, as set")
    assert (place.score.value, place.baseline.value, place.score.count) == (1, 0, N // 2)
    assert number(found, "do(place)", "F1", "place, as set").score.value == 1
    assert number(found, "do(shade)", "F1", "place, as in the world").score.value == 1
    assert any(f"{N // 2} of the {N} factual pictures teach" in said for said in found.rests_on)
    shade = number(found, "do(shade)", "effectiveness", "shade, as set")
    assert shade.score.value < shade.baseline.value / 2


def test_pictures_left_as_they_are_have_the_minimality_of_nothing_done(folder):
    # At no distance no other picture is as near, and all of the own value are no nearer.
    without_column(folder, "left.csv", ["counterfactual", "truth", "reversed"])
    gallery = cf.Gallery.read(
        folder / "left.csv", factual=folder / "real", counterfactual=folder / "real"
    )
    told = cf.evaluate(gallery, metrics=["minimality"], judge_epochs=1, progress=False)
    found = number(told, "do(place)", "minimality").score.value
    assert found == pytest.approx(math.log(0.8 + 0.2 * math.e), rel=1e-6)


def test_what_is_not_given_is_said_to_be_not_measurable(folder):
    names = {"factual": "real", "counterfactual": "made"}
    without_column(folder, "short.csv", ["truth", "reversed"])
    gallery = cf.Gallery.read(folder / "short.csv", **folders(folder, names))
    told = cf.evaluate(gallery, judge_epochs=1, progress=False)
    record = told.record()
    notes = " ".join(record["notes"])
    for what in ("composition", "true error", "reversibility"):
        assert f"{what} is not measurable" in notes
        assert what not in record["definitions"]
    assert "shade a number, place a class of 2" in " ".join(record["rests_on"])


def test_a_corrupt_picture_is_refused_or_named_and_skipped(tmp_path):
    folder = made(tmp_path)
    (folder / "made" / "03_shade.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    with pytest.raises(cf.DataError, match=r"03_shade\.png"):
        cf.Gallery.read(folder / "table.csv", **folders(folder))
    gallery = cf.Gallery.read(folder / "table.csv", **folders(folder), on_error="skip")
    assert len(gallery) == 2 * N - 1
    assert any("03_shade.png" in note for note in gallery.notes)
    told = cf.evaluate(gallery, metrics=["true error"], judge_epochs=1, progress=False)
    assert number(told, "do(shade)", "true error").score.count == N - 1
    assert number(told, "do(shade)", "true error").score.value == pytest.approx(ERROR)
    with pytest.raises(cf.DataError, match="on_error"):
        cf.Gallery.read(folder / "table.csv", **folders(folder), on_error="ignore")


def test_a_graph_gives_types_and_says_what_an_intervention_moves(folder):
    graph = cf.Graph(
        nodes={
            "place": {"type": "class", "levels": ["right", "left"]},
            "shade": {"type": "continuous", "unit": "levels"},
            "picture": {"type": "image", "shape": [1, SIZE, SIZE]},
        },
        edges=["place -> shade", "place -> picture", "shade -> picture"],
    )
    gallery = cf.Gallery.read(folder / "table.csv", **folders(folder), graph=graph)
    told = cf.evaluate(gallery, metrics=["kept", "effectiveness"], judge_epochs=1, progress=False)
    measured = {(each.query, each.detail) for each in told.measures}
    # Under do(place) the shade is moved, and the table does not say to what.
    assert measured == {
        ("do(shade)", "shade, as set"),
        ("do(shade)", "place, as in the world"),
        ("do(place)", "place, as set"),
    }
    assert any("kept of shade is not measurable" in note for note in told.bench.notes)
    assert {each.score.unit for each in told.measures} == {"levels", "share"}


def test_a_table_that_contradicts_itself_is_refused(folder):
    lines = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace("left", "right", 1)
    (folder / "twice.csv").write_text("\n".join(lines), encoding="utf-8")
    gallery = cf.Gallery.read(folder / "twice.csv", **folders(folder))
    with pytest.raises(cf.DataError, match="two values of 'place'"):
        cf.evaluate(gallery, judge_epochs=1, progress=False)


def test_a_report_shows_strips_and_differences(found, tmp_path):
    numbers, page = found.write(tmp_path / "report")
    record = json.loads(numbers.read_text(encoding="utf-8"))
    assert {each["measure"] for each in record["measures"]} >= {"minimality", "identity", "SSIM"}
    text = page.read_text(encoding="utf-8")
    assert "Counterfactuals, do(place)" in text
    assert "difference" in text


def test_the_command_measures_them_and_says_what_belongs_to_models(folder, tmp_path):
    paths = [part for kind, name in FOLDERS.items() for part in (f"--{kind}", folder / name)]
    asked = ["--pictures", folder / "table.csv", *paths, "--metrics", "true error,composition"]
    told = command("evaluate", *asked, "--judge-epochs", 1, "--out", tmp_path / "out", "--json")
    assert told.returncode == 0, told.stderr
    measures = {(m["query"], m["measure"]): m for m in json.loads(told.stdout)["measures"]}
    assert measures["do(shade)", "true error"]["value"] == pytest.approx(ERROR)
    assert measures["do(shade)", "true error"]["images"] == N
    assert measures["do()", "composition"]["value"] == pytest.approx(2)
    assert (tmp_path / "out" / "report.html").is_file()
    for wrong, named in (
        (["--pictures", folder / "table.csv", *paths, "--do", "shade=1"], "--do"),
        ([], "--pictures TABLE"),
    ):
        refused = command("evaluate", *wrong, "--out", tmp_path / "no")
        assert refused.returncode == 2
        assert named in refused.stderr
        assert refused.stderr.count("\n") == 1


def command(*words):
    parts = [sys.executable, "-m", "causalflow", *map(str, words)]
    return subprocess.run(parts, capture_output=True, text=True, check=False)

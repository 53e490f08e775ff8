"""What the page asks of its server: the latest of many, one at a time; nothing after a cancel."""

FLOOD = """async ([name, count]) => {
  const { createApi } = await import("./page/api.js");
  const api = createApi();
  const asked = [];
  for (let i = 0; i < count; i++) {
    const body = { name: i === count - 1 ? "ascm_xy" : "classics/napkin" };
    asked.push(api.post(name, body, { lane: "one" }));
  }
  const answers = await Promise.all(asked);
  return answers.map((answer) => answer && answer.name);
}"""
LANES = """async () => {
  const { createApi } = await import("./page/api.js");
  const api = createApi();
  let most = 0;
  api.subscribe((work) => { most = Math.max(most, work.length); });
  await Promise.all(["a", "b", "c"].map((lane) => api.post("start", {}, { lane })));
  return most;
}"""
MISTAKE = """async () => {
  const { createApi } = await import("./page/api.js");
  try {
    return await createApi().post("example", { name: "nowhere" });
  } catch (error) {
    return error;
  }
}"""
CANCEL = """async () => {
  const { createApi } = await import("./page/api.js");
  const api = createApi();
  const asked = [1, 2, 3].map(() => api.post("start", {}, { lane: "one" }));
  api.cancel("one");
  const answers = await Promise.all(asked);
  return [answers, (await api.post("start", {}, { lane: "one" })).format];
}"""
HISTORY = """async () => {
  const { blank, createStore } = await import("./page/store.js");
  const store = createStore(blank());
  const seen = [];
  store.subscribe((state, before) => seen.push([before.text, state.text]));
  store.set({ text: "a" }, { undo: "type" });
  store.set({ text: "ab" }, { undo: "type" });
  store.set({ query: "q" });
  store.set({ text: "c", name: "n" }, { undo: "open" });
  store.undo();
  const undone = [store.get().text, store.get().name, store.get().query];
  store.undo();
  const all = [store.get().text, store.history().undo, store.history().redo];
  store.redo();
  store.redo();
  return { undone, all, redone: store.get().text, steps: seen.length };
}"""


def test_of_a_flood_the_first_and_the_latest_are_asked(page):
    asked = []
    page.on("request", lambda each: asked.append(each.url) if "/api/example" in each.url else None)
    answers = page.evaluate(FLOOD, ["example", 30])
    assert answers == ["napkin.yaml", *[None] * 28, "ascm_xy.yaml"]
    assert len(asked) == 2


def test_lanes_are_asked_side_by_side(page):
    assert page.evaluate(LANES) == 3


def test_mistake_of_the_user_is_thrown_with_its_place(page):
    error = page.evaluate(MISTAKE)
    assert "unknown graph file 'nowhere'" in error["message"]
    assert error["line"] is None


def test_what_is_cancelled_is_answered_by_nothing_and_the_lane_goes_on(page):
    answers, form = page.evaluate(CANCEL)
    assert answers == [None, None, None]
    assert form == "yaml"


def test_steps_are_undone_and_done_again_and_quick_ones_of_one_kind_are_one(page):
    found = page.evaluate(HISTORY)
    assert found["undone"] == ["ab", "graph.yaml", "q"]
    assert found["all"] == ["", None, "type"]
    assert found["redone"] == "c"
    assert found["steps"] == 8

/** The server's answers: one request in flight a lane, and of those that wait the latest one. */

/**
 * @typedef {object} Problem
 * @property {string} message
 * @property {number|null} line
 * @property {number|null} column
 *
 * @typedef {object} Api
 * @property {(name: string, body: object, options?: {lane?: string}) => Promise<object|null>} post
 *   null: a later request of the lane took its place, or it was cancelled; throws a Problem
 * @property {(file: Blob) => Promise<{picture: string, width: number, height: number}>} upload
 * @property {(lane: string) => void} cancel
 * @property {(fn: (work: Work[]) => void) => void} subscribe called when work begins, goes on, ends
 *
 * @typedef {object} Work
 * @property {string} lane
 * @property {number} since milliseconds, of performance.now()
 * @property {number|null} share
 * @property {string} said
 */

const LINES = "application/x-ndjson";
const UNREACHED = { message: "the server does not answer; is causalflow app still running?", line: null, column: null };

/** Lanes to the server at this address.
 * @returns {Api}
 */
export function createApi() {
  const lanes = new Map();
  const followers = new Set();

  function tell() {
    const work = [...lanes.entries()].map(([lane, { since, share, said }]) => ({ lane, since, share, said }));
    for (const follow of followers) follow(work);
  }

  async function run(lane, job) {
    const work = { since: performance.now(), share: null, said: "", stop: new AbortController(), next: null };
    lanes.set(lane, work);
    tell();
    try {
      job.resolve(await ask(job, work, tell));
    } catch (error) {
      if (work.stop.signal.aborted) job.resolve(null);
      else job.reject(error.message !== undefined && "line" in error ? error : UNREACHED);
    }
    lanes.delete(lane);
    tell();
    if (work.next) run(lane, work.next);
  }

  return {
    post(name, body, { lane = name } = {}) {
      return new Promise((resolve, reject) => {
        const job = { path: `api/${name}`, type: "application/json", content: JSON.stringify(body), resolve, reject };
        const under = lanes.get(lane);
        if (!under) return run(lane, job);
        under.next?.resolve(null);
        under.next = job;
      });
    },
    upload(file) {
      return new Promise((resolve, reject) => {
        run(`upload ${performance.now()}`, { path: "upload", type: file.type, content: file, resolve, reject });
      });
    },
    cancel(lane) {
      const under = lanes.get(lane);
      if (!under) return;
      under.next?.resolve(null);
      under.next = null;
      under.stop.abort();
    },
    subscribe(fn) {
      followers.add(fn);
    },
  };
}

/** One request; progress is told as it comes. */
async function ask(job, work, tell) {
  const response = await fetch(job.path, {
    method: "POST",
    headers: { "content-type": job.type, accept: `${LINES}, application/json` },
    body: job.content,
    signal: work.stop.signal,
  });
  const inLines = response.headers.get("content-type") === LINES;
  const answer = inLines ? await last(response, work, tell) : await response.json();
  if (answer.error) throw answer.error;
  return inLines ? answer.answer : answer;
}

/** The last line of an answer by lines. */
async function last(response, work, tell) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw UNREACHED;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (!("progress" in event)) return event;
      work.share = event.progress;
      work.said = event.said;
      tell();
    }
  }
}

// Lists the titles, keeps the list fresh, and opens the player.

import { Player } from "./player.js";

// While something is being made, progress should look alive; otherwise a new delivery should appear soon enough.
const BUSY_MS = 1500;
const QUIET_MS = 5000;

const WORDS = {
  queued: ["Waiting", "Waiting for a worker to look at the master"],
  transcoding: ["Transcoding", "Transcoding"],
  sealing: ["Sealing", "Writing playlists, MPD and inventory"],
  verifying: ["Verifying", "Asking the origin about every object"],
  publishing: ["Publishing", "Proven; pointing viewers at it"],
  published: ["Published", "Published"],
  rejected: ["Rejected", "Not usable as it is"],
  failed: ["Failed", "Did not succeed; it can be tried again"],
};
const FINAL = ["published", "rejected", "failed"];

const $ = (id) => document.getElementById(id);
const rows = new Map();
const player = new Player({
  opened: (title) => history.replaceState(null, "", `#${title}`),
  closed: (title) => {
    history.replaceState(null, "", location.pathname);
    rows.get(title)?.part(".play").focus();
  },
});
// An address that ends in #title plays that title as soon as there is something to play.
let wanted = location.hash.slice(1);

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

function duration(ms) {
  const s = Math.round(ms / 1000);
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
}

// What a title's state means, in a line.
function words(title) {
  const { progress, state, live, version } = title;
  const parts = [];
  if (state === "transcoding" && progress.frames) {
    parts.push(`${number.format(progress.spans_done)} of ${number.format(progress.spans)} spans`);
    parts.push(`${number.format(progress.frames_done)} of ${number.format(progress.frames)} frames`);
    const fps = progress.frames_done / (progress.working_ms / 1000);
    if (progress.frames_done && Number.isFinite(fps)) {
      const speed = (fps * progress.duration_ms) / 1000 / progress.frames;
      parts.push(`${fps.toFixed(0)} frames/s (${speed.toFixed(1)}× real time)`);
      parts.push(`about ${duration(((progress.frames - progress.frames_done) / fps) * 1000)} left`);
    }
  } else if (state === "published") {
    parts.push(`v${version} is live`);
    if (progress.duration_ms) parts.push(duration(progress.duration_ms));
    if (progress.frames) parts.push(`${number.format(progress.frames)} frames`);
  } else {
    parts.push(WORDS[state]?.[1] ?? state);
  }
  if (live && live !== version) parts.push(`v${live} stays live`);
  return parts.join(" · ");
}

function text(element, value) {
  // Writing what is there already would make screen readers repeat it and lose a selection.
  if (element.textContent !== value) element.textContent = value;
}

// A sentence in which `names` are set in backticks.
function prose(element, sentence) {
  if (element.textContent === sentence.replaceAll("`", "")) return;
  const parts = sentence.split("`").map((part, place) => {
    if (place % 2 === 0) return part;
    const name = document.createElement("code");
    name.textContent = part;
    return name;
  });
  element.replaceChildren(...parts);
}

function link(element, address) {
  element.hidden = !address;
  if (address) element.href = address;
}

class Row {
  constructor(name) {
    this.element = $("title-template").content.firstElementChild.cloneNode(true);
    this.part = (selector) => this.element.querySelector(selector);
    this.name = name;
    text(this.part("h3"), name);
    this.part(".play").setAttribute("aria-label", `Play ${name}`);
    this.part(".play").addEventListener("click", () => {
      player.open(this.title);
      $("video").focus();
    });
    this.part("progress").setAttribute("aria-label", `Progress of ${name}`);
    this.part("details").addEventListener("toggle", () => this.showHistory());
  }

  show(title) {
    const before = this.title;
    this.title = title;
    const [label] = WORDS[title.state] ?? [title.state];
    if (before && before.state !== title.state) text($("news"), `${title.title}: ${label}`);
    const state = this.part(".state");
    text(state, label);
    state.className = `state ${title.state}`;
    text(this.part(".words"), words(title));

    const bar = this.part("progress");
    bar.hidden = FINAL.includes(title.state) || title.state === "queued";
    if (title.state === "transcoding" && title.progress.frames) {
      bar.max = title.progress.frames;
      bar.value = title.progress.frames_done;
    } else {
      bar.removeAttribute("value");
    }

    this.part(".refusal").hidden = !title.code;
    if (title.code) {
      text(this.part(".code"), title.code);
      prose(this.part(".message"), title.message);
      prose(this.part(".next"), title.next_step);
    }

    this.part(".play").hidden = !title.live;
    link(this.part(".hls"), title.hls);
    link(this.part(".mpd"), title.mpd);
    text(this.part(".master"), `Master: ${title.master.path} · pipeline ${title.pipeline}`);
    const moves = !FINAL.includes(title.state) || before?.updated_ms !== title.updated_ms;
    if (before && moves) this.showHistory();
  }

  async showHistory() {
    if (!this.part("details").open) return;
    const answer = await fetch(`/api/titles/${this.name}`).catch(() => null);
    if (!answer?.ok) return;
    const detail = await answer.json();
    this.part(".events").replaceChildren(
      ...detail.events.map((event) => {
        const line = document.createElement("li");
        const time = document.createElement("time");
        time.dateTime = new Date(event.at_ms).toISOString();
        time.textContent = clock.format(event.at_ms);
        const what = document.createElement("span");
        prose(what, event.text);
        line.append(time, what);
        return line;
      }),
    );
    this.part(".last-words").hidden = !detail.last_words;
    text(this.part(".last-words"), detail.last_words ?? "");
    this.part(".findings").hidden = detail.findings.length === 0;
    this.part(".findings").replaceChildren(
      ...detail.findings.map((finding) => {
        const line = document.createElement("li");
        prose(line, finding.text);
        return line;
      }),
    );
  }
}

function show({ titles, more }) {
  const list = $("titles");
  const seen = new Set(titles.map((title) => title.title));
  for (const [name, row] of rows) {
    if (!seen.has(name)) {
      row.element.remove();
      rows.delete(name);
    }
  }
  titles.forEach((title, place) => {
    let row = rows.get(title.title);
    if (!row) rows.set(title.title, (row = new Row(title.title)));
    row.show(title);
    // Rows move only when they have to, so that focus and open histories survive.
    if (list.children[place] !== row.element) {
      list.insertBefore(row.element, list.children[place] ?? null);
    }
  });
  $("empty").hidden = titles.length > 0;
  $("more").hidden = !more;
  const linked = titles.find((title) => title.title === wanted && title.live);
  if (linked) {
    wanted = "";
    player.open(linked);
  }
}

async function refresh() {
  let pause = QUIET_MS;
  try {
    const answer = await fetch("/api/titles");
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    show(body);
    const busy = body.titles.filter((title) => !FINAL.includes(title.state)).length;
    if (busy) pause = BUSY_MS;
    text($("connection"), busy ? `${number.format(busy)} in work` : "Nothing in work");
    $("connection").className = "";
  } catch {
    text($("connection"), "Headwater does not answer; trying again");
    $("connection").className = "lost";
  }
  setTimeout(next, pause);
}

// A page that nobody looks at asks nothing.
function next() {
  if (!document.hidden) return refresh();
  document.addEventListener("visibilitychange", next, { once: true });
}

addEventListener("hashchange", () => {
  wanted = location.hash.slice(1);
});
next();

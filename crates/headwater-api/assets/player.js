// Plays a published title with one of several players, which are loaded when they are first needed.

const $ = (id) => document.getElementById(id);
const AUTO = "auto";
const REMEMBERED = "headwater-player";

// A classic script of this build, loaded once.
const scripts = new Map();
function load(name) {
  if (!scripts.has(name)) {
    const loaded = new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL(name, import.meta.url);
      script.onload = done;
      script.onerror = () => failed(new Error(`${name} cannot be loaded`));
      document.head.append(script);
    });
    scripts.set(name, loaded);
    loaded.catch(() => scripts.delete(name));
  }
  return scripts.get(name);
}

function picture(height, bits) {
  return `${height}p, ${(bits / 1e6).toFixed(1)} Mbit/s`;
}

// Each engine starts playing and answers with what the page can ask of it: levels and audios as [id, label], largest
// picture first; `now()` is the level on screen.
const ENGINES = {
  "hls.js": {
    label: "HLS, hls.js",
    address: (title) => title.hls,
    works: () => Boolean(window.MediaSource || window.ManagedMediaSource),
    async start(video, address, { failed, changed }) {
      await load("hls.js");
      const hls = new window.Hls();
      hls.on(window.Hls.Events.ERROR, (_, error) => {
        if (error.fatal) failed(`${error.type}: ${error.details}`);
      });
      for (const event of ["MANIFEST_PARSED", "AUDIO_TRACKS_UPDATED"]) {
        hls.on(window.Hls.Events[event], changed);
      }
      hls.loadSource(address);
      hls.attachMedia(video);
      return {
        levels: () =>
          hls.levels.map((level, id) => [id, picture(level.height, level.bitrate)]).reverse(),
        setLevel: (id) => (hls.nextLevel = id === AUTO ? -1 : Number(id)),
        audios: () => hls.audioTracks.map((track) => [track.id, track.name]),
        audio: () => hls.audioTrack,
        setAudio: (id) => (hls.audioTrack = Number(id)),
        now: () => hls.levels[hls.currentLevel]?.height,
        stop: () => hls.destroy(),
      };
    },
  },
  shaka: {
    label: "DASH, Shaka",
    address: (title) => title.mpd,
    works: () => Boolean(window.MediaSource || window.ManagedMediaSource),
    async start(video, address, { failed, changed }) {
      await load("shaka.js");
      const shaka = new window.shaka.Player();
      const words = (error) => `Shaka error ${error.code}: ${error.message}`;
      shaka.addEventListener("error", (event) => failed(words(event.detail)));
      shaka.addEventListener("trackschanged", changed);
      await shaka.attach(video);
      // Not awaited: what goes wrong from here on is told by `failed`, and a stop ends it.
      shaka.load(address).catch((error) => {
        const { LOAD_INTERRUPTED, OPERATION_ABORTED } = window.shaka.util.Error.Code;
        if (![LOAD_INTERRUPTED, OPERATION_ABORTED].includes(error.code)) failed(words(error));
      });
      const tracks = () => shaka.getVariantTracks();
      // Variants are pairs of picture and sound; the page shows one entry for each picture.
      const levels = () => [...new Map(tracks().map((track) => [track.videoId, track])).values()];
      return {
        levels: () =>
          levels()
            .sort((a, b) => b.height - a.height || b.videoBandwidth - a.videoBandwidth)
            .map((track) => [track.videoId, picture(track.height, track.videoBandwidth)]),
        setLevel(id) {
          shaka.configure("abr.enabled", id === AUTO);
          const active = tracks().find((track) => track.active);
          const track = tracks().find(
            (track) => String(track.videoId) === id && track.audioId === active?.audioId,
          );
          if (track) shaka.selectVariantTrack(track, true);
        },
        audios: () => shaka.getAudioTracks().map((track, id) => [id, track.label || track.language]),
        audio: () => shaka.getAudioTracks().findIndex((track) => track.active),
        setAudio: (id) => shaka.selectAudioTrack(shaka.getAudioTracks()[id]),
        now: () => tracks().find((track) => track.active)?.height,
        stop: () => shaka.destroy(),
      };
    },
  },
  native: {
    label: "HLS, this browser",
    address: (title) => title.hls,
    works: () => Boolean($("video").canPlayType("application/vnd.apple.mpegurl")),
    async start(video, address) {
      video.src = address;
      return {
        levels: () => [],
        setLevel: () => {},
        audios: () => [],
        audio: () => 0,
        setAudio: () => {},
        now: () => video.videoHeight,
        stop() {
          video.removeAttribute("src");
          video.load();
        },
      };
    },
  },
};

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null; // Storage may be forbidden; the choice is then asked again.
  }
}

function remember(engine) {
  try {
    localStorage.setItem(REMEMBERED, engine);
  } catch {
    // As above.
  }
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([id, label]) => new Option(label, id, false, id === chosen)));
}

export class Player {
  #title = null;
  #engine = null;
  // Counts starts: an engine that was slow to load must not start after another was chosen.
  #turn = 0;
  #hooks;

  constructor(hooks) {
    this.#hooks = hooks;
    const usable = Object.entries(ENGINES).filter(([, engine]) => engine.works());
    const preferred = usable.find(([id]) => id === remembered())?.[0] ?? usable[0]?.[0];
    for (const [id, { label }] of usable) {
      const choice = document.createElement("input");
      choice.type = "radio";
      choice.name = "engine";
      choice.value = id;
      choice.checked = id === preferred;
      choice.addEventListener("change", () => {
        remember(id);
        this.#start();
      });
      const line = document.createElement("label");
      line.append(choice, label);
      $("engines").append(line);
    }
    $("player-close").addEventListener("click", () => this.close());
    $("levels").addEventListener("change", (event) => this.#engine?.setLevel(event.target.value));
    $("audios").addEventListener("change", (event) => this.#engine?.setAudio(event.target.value));
    $("video").addEventListener("error", () => {
      // Engines tell more about their own errors.
      if (!this.#engine || $("video").error === null) return;
      this.#failed(`The browser cannot play this: ${$("video").error.message || "no reason given"}`);
    });
    setInterval(() => this.#showFacts(), 500);
  }

  open(title) {
    this.#title = title;
    $("player").hidden = false;
    $("player-title").textContent = `${title.title} v${title.live}`;
    $("player").scrollIntoView({ block: "nearest" });
    this.#hooks.opened(title.title);
    this.#start();
  }

  close() {
    this.#stop();
    $("player").hidden = true;
    this.#hooks.closed(this.#title.title);
  }

  #stop() {
    this.#turn += 1;
    this.#engine?.stop();
    this.#engine = null;
  }

  async #start() {
    this.#stop();
    const turn = this.#turn;
    const video = $("video");
    $("player-error").hidden = true;
    options($("levels"), [[AUTO, "Automatic"]]);
    $("audio-label").hidden = true;
    const chosen = document.querySelector("input[name=engine]:checked")?.value;
    if (!chosen) return this.#failed("This browser has no Media Source Extensions to play with.");
    const mine = (act) => (...args) => {
      if (turn === this.#turn) act(...args);
    };
    try {
      const engine = await ENGINES[chosen].start(video, ENGINES[chosen].address(this.#title), {
        failed: mine((reason) => this.#failed(reason)),
        changed: mine(() => this.#showChoices()),
      });
      if (turn !== this.#turn) return engine.stop();
      this.#engine = engine;
      this.#showChoices();
      // Browsers refuse to start with sound before the visitor has touched the page; the controls are there.
      await video.play().catch(() => {});
    } catch (error) {
      if (turn === this.#turn) this.#failed(error.message);
    }
  }

  #failed(reason) {
    $("player-error").textContent = reason;
    $("player-error").hidden = false;
  }

  #showChoices() {
    if (!this.#engine) return;
    options($("levels"), [[AUTO, "Automatic"], ...this.#engine.levels()], $("levels").value);
    const audios = this.#engine.audios();
    $("audio-label").hidden = audios.length < 2;
    options($("audios"), audios, this.#engine.audio());
  }

  #showFacts() {
    const video = $("video");
    if (!this.#engine) return;
    const parts = [];
    const height = this.#engine.now();
    if (height) parts.push(`${height}p on screen`);
    const { buffered, currentTime } = video;
    for (let n = 0; n < buffered.length; n += 1) {
      if (buffered.start(n) <= currentTime && currentTime <= buffered.end(n)) {
        parts.push(`${Math.round(buffered.end(n) - currentTime)} s buffered`);
      }
    }
    const quality = video.getVideoPlaybackQuality?.();
    if (quality?.totalVideoFrames) parts.push(`${quality.droppedVideoFrames} frames dropped`);
    $("player-facts").textContent = parts.join(" · ");
  }
}

// The side of play.mjs that runs in the page: starts a player and keeps book of what a viewer would notice.

'use strict';

(() => {
  const video = document.querySelector('video');
  const errors = [];
  const stalls = [];
  const jumps = [];
  const gaps = [];
  const seeks = [];
  const buffers = [];
  const suspects = new Map();
  const cues = new Map();
  let fatal = null;
  let started = null;
  let startupMs = null;
  let stalledSince = null;
  let seeking = null;
  let last = null;
  let watched = 0;

  // Shorter than this, a gap in the buffer is rounding; players bridge up to a few frames by themselves.
  const GAP_S = 0.05;
  // Longer than this, nothing has been loaded there yet: the shortest segment is many times as long.
  const UNLOADED_S = 2;
  // A gap counts when it is still there after so many looks: buffers fill piece by piece.
  const LOOKS = 10;
  // What the clock of the picture may run ahead of the wall between two looks.
  const JUMP_S = 0.3;

  const round = (seconds) => Math.round(seconds * 1000) / 1000;

  // Every player feeds its media through a source buffer; each is watched by itself, since the video element only
  // shows what all of them have in common.
  const { addSourceBuffer } = MediaSource.prototype;
  MediaSource.prototype.addSourceBuffer = function watched(mime) {
    const buffer = addSourceBuffer.call(this, mime);
    buffers.push({ mime, buffer });
    return buffer;
  };

  const players = {
    'hls.js': (url, text) => {
      const player = new Hls();
      window.hear = (language) => {
        player.audioTrack = player.audioTracks.findIndex((track) => track.lang === language);
      };
      player.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => {
        player.subtitleDisplay = text !== null;
        player.subtitleTrack = text ?? -1;
      });
      player.on(Hls.Events.ERROR, (_, e) => {
        // Stalls are measured here for all players alike.
        if (e.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && !e.fatal) return;
        errors.push(`${e.details}: ${e.error?.message ?? e.reason ?? ''}`);
        if (e.fatal) fatal = e.details;
      });
      player.loadSource(url);
      player.attachMedia(video);
    },
    'dash.js': (url, text) => {
      const player = dashjs.MediaPlayer().create();
      player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE } });
      player.on(dashjs.MediaPlayer.events.STREAM_INITIALIZED, () => {
        player.enableText(text !== null);
        if (text !== null) player.setTextTrack(text);
      });
      player.on(dashjs.MediaPlayer.events.ERROR, (e) => {
        errors.push(`${e.error?.code ?? e.error}: ${e.error?.message ?? ''}`);
        fatal = String(e.error?.message ?? e.error);
      });
      window.hear = (language) => {
        player.setCurrentTrack(player.getTracksFor('audio').find((track) => track.lang === language));
      };
      player.initialize(video, url, true);
    },
    shaka: (url, text) => {
      shaka.polyfill.installAll();
      const player = new shaka.Player();
      window.fastForward = () => player.trickPlay(4);
      window.hear = (language) => {
        player.selectAudioTrack(player.getAudioTracks().find((track) => track.language === language));
      };
      window.thumbnail = async (at) => {
        const [track] = player.getImageTracks?.() ?? [];
        const found = track && await player.getThumbnails(track.id, at);
        return found ? {
          address: new URL(found.uris[0], url).pathname,
          x: found.positionX, y: found.positionY, width: found.width, height: found.height,
          from: found.startTime, seconds: found.duration,
        } : null;
      };
      const note = (e) => {
        errors.push(`${e.code ?? ''}: ${e.message ?? e}`);
        if (e.severity !== shaka.util.Error.Severity.RECOVERABLE) fatal = String(e.message ?? e.code ?? e);
      };
      player.addEventListener('error', (e) => note(e.detail));
      const show = () => {
        if (text === null) return;
        player.selectTextTrack(player.getTextTracks()[text]);
        player.setTextTrackVisibility?.(true);
      };
      player.attach(video).then(() => player.load(url)).then(show).catch(note);
    },
  };

  function endStall() {
    if (stalledSince === null) return;
    stalls.push({ at: round(stalledSince.at), seconds: round((performance.now() - stalledSince.now) / 1000) });
    stalledSince = null;
  }

  video.addEventListener('waiting', () => {
    if (startupMs === null || seeking || video.ended) return;
    stalledSince ??= { at: video.currentTime, now: performance.now() };
  });
  video.addEventListener('playing', () => {
    startupMs ??= Math.round(performance.now() - started);
    endStall();
    if (seeking) {
      seeks.push({ to: seeking.to, at: round(video.currentTime), seconds: round((performance.now() - seeking.now) / 1000) });
      seeking = null;
      last = null;
    }
  });
  video.addEventListener('ended', endStall);
  video.addEventListener('error', () => { fatal ??= `media error ${video.error?.code}: ${video.error?.message}`; });

  window.start = ({ player, url, rate, text }) => {
    started = performance.now();
    video.defaultPlaybackRate = rate;
    video.addEventListener('canplay', () => {
      video.playbackRate = rate;
      video.play().catch((e) => errors.push(`play(): ${e.message}`));
    }, { once: true });
    players[player](url, text);
  };

  window.seek = (to) => {
    endStall();
    seeking = { to, now: performance.now() };
    video.currentTime = to;
    // After the end, a seek alone does not go on playing.
    video.play().catch((e) => errors.push(`play(): ${e.message}`));
  };

  function lookForJump() {
    const now = { wall: performance.now(), time: video.currentTime };
    if (last && !seeking && startupMs !== null) {
      const wall = (now.wall - last.wall) / 1000;
      if (now.time - last.time > wall * video.playbackRate + JUMP_S) {
        jumps.push({ from: round(last.time), to: round(now.time) });
      } else {
        watched += Math.max(0, now.time - last.time);
      }
    }
    last = now;
  }

  function lookForGaps() {
    for (const { mime, buffer } of buffers) {
      let ranges;
      try { ranges = buffer.buffered; } catch { continue; /* a buffer that the player has removed */ }
      for (let n = 0; n < ranges.length; n += 1) {
        // Nothing before the first range is a gap only where the presentation starts.
        const from = n === 0 ? 0 : ranges.end(n - 1);
        const to = ranges.start(n);
        if (to - from <= GAP_S || to - from >= UNLOADED_S) continue;
        const key = `${mime} ${round(from)} ${round(to)}`;
        suspects.set(key, (suspects.get(key) ?? 0) + 1);
        if (suspects.get(key) === LOOKS) gaps.push({ mime, from: round(from), to: round(to) });
      }
    }
  }

  // What is, or will be, shown as subtitles: players give the browser's own tracks what they have loaded.
  function lookForCues() {
    for (const track of video.textTracks) {
      if (track.kind === 'metadata' || track.mode === 'disabled') continue;
      for (const { startTime, endTime, text } of track.cues ?? []) {
        cues.set(`${round(startTime)} ${round(endTime)} ${text}`, { from: round(startTime), to: round(endTime), text });
      }
    }
  }

  // How much of the presentation was seen at least once.
  function played() {
    let seconds = 0;
    for (let n = 0; n < video.played.length; n += 1) seconds += video.played.end(n) - video.played.start(n);
    return seconds;
  }

  // What there is to tell by now; called ten times a second.
  window.look = () => {
    lookForJump();
    lookForGaps();
    lookForCues();
    const quality = video.getVideoPlaybackQuality();
    return {
      time: video.currentTime,
      duration: Number.isFinite(video.duration) ? video.duration : 0,
      played: played(),
      watched,
      ended: video.ended,
      seeking: seeking !== null,
      startup_ms: startupMs,
      width: video.videoWidth,
      height: video.videoHeight,
      frames: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      corrupted: quality.corruptedVideoFrames ?? 0,
      cues: [...cues.values()].sort((a, b) => a.from - b.from),
      stalls, jumps, gaps, seeks, errors, fatal,
    };
  };
})();

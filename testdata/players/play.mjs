// Plays a package in headless Chromium with a real player and reports what a viewer would have noticed.
//
//   node play.mjs --player hls.js|dash.js|shaka --url URL_OR_FILE
//                 [--seconds N] [--rate R] [--seek T]... [--max-stall S] [--timeout S] [--text N]
//                 [--sound-only] [--fast-forward] [--transport] [--hear L] [--thumbnail T]
//
// Prints one line of JSON (see `verdict`). Exit code: 0 played well, 1 did not (`reasons` says why), 2 usage or no
// browser. --fast-forward is what Shaka can do with one picture of each segment: `pictures` are those that it has
// loaded. --transport is for MPEG-TS: players begin when the first frame is decoded, so that all is as much later as that
// is earlier than it is shown, and nothing is there before. --hear changes to another language after the beginning; `heard`
// is what was loaded since. --thumbnail says which small picture Shaka shows for a time. Without --seconds it plays to the end. With --text it shows
// subtitles, those with this number from 0. A file is served across origins, as a CDN would. The variable CHROMIUM names a
// browser elsewhere than at /usr/bin/chromium.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const HERE = path.dirname(fileURLToPath(import.meta.url));

const LIBRARIES = {
  'hls.js': 'node_modules/hls.js/dist/hls.min.js',
  'dash.js': 'node_modules/dashjs/dist/modern/umd/dash.all.min.js',
  shaka: 'node_modules/shaka-player/dist/shaka-player.compiled.js',
};

const CONTENT_TYPES = {
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mpd': 'application/dash+xml',
  '.m4s': 'video/iso.segment',
  '.mp4': 'video/mp4',
  '.ts': 'video/mp2t',
  '.vtt': 'text/vtt',
};

// One switch each keeps Chromium from needing a screen, a user namespace, a GPU, a profile, a click, or the internet.
const BROWSER_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--mute-audio',
  '--autoplay-policy=no-user-gesture-required',
];

const POLL_MS = 100;
// Playback between two seeks: enough to see that it goes on.
const PLAY_BEFORE_SEEK_S = 1.5;
// A player that stands still this long is not going to go on: hls.js and Shaka retry for less.
const DEAD_MS = 15_000;

function options() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      player: text, url: text, seconds: text, rate: text, 'max-stall': text, timeout: text, text,
      'sound-only': { type: 'boolean', default: false },
      'fast-forward': { type: 'boolean', default: false },
      transport: { type: 'boolean', default: false },
      hear: { type: 'string' },
      thumbnail: { type: 'string' },
      seek: { type: 'string', multiple: true },
    },
  });
  if (!(values.player in LIBRARIES) || !values.url) throw new Error('--player hls.js|dash.js|shaka and --url are needed');
  const number = (name, otherwise) => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (Number.isNaN(value)) throw new Error(`--${name} takes a number`);
    return value;
  };
  return {
    player: values.player,
    url: values.url,
    seconds: number('seconds', Infinity),
    rate: number('rate', 1),
    text: number('text', null),
    soundOnly: values['sound-only'],
    fastForward: values['fast-forward'],
    transport: values.transport,
    hear: values.hear ?? null,
    thumbnail: values.thumbnail === undefined ? null : Number(values.thumbnail),
    // Two busy cores make any player wait for a moment; a hole in the content makes it wait far longer.
    maxStall: number('max-stall', 0.5),
    timeout: number('timeout', 300),
    seeks: (values.seek ?? []).map(Number),
  };
}

// A server on a port of its own that gives out what `files` finds for a path.
async function serve(find) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    if (request.method === 'OPTIONS') return response.writeHead(204, headers).end();
    const found = find(decodeURIComponent(pathname));
    if (found?.text !== undefined) {
      return response.writeHead(200, { ...headers, 'content-type': found.type }).end(found.text);
    }
    const stat = found && fs.statSync(found.file, { throwIfNoEntry: false });
    if (!stat?.isFile()) return response.writeHead(404, headers).end();
    headers['content-type'] = found.type ?? CONTENT_TYPES[path.extname(found.file)] ?? 'application/octet-stream';
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = Math.min(range?.[2] ? Number(range[2]) : Infinity, stat.size - 1);
    if (start > end) return response.writeHead(stat.size ? 416 : 200, headers).end();
    headers['content-length'] = end - start + 1;
    if (range) headers['content-range'] = `bytes ${start}-${end}/${stat.size}`;
    response.writeHead(range ? 206 : 200, headers);
    fs.createReadStream(found.file, { start, end }).pipe(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

const PAGE = '<!doctype html><meta charset="utf-8"><video muted playsinline width="640" height="360"></video>'
  + '<script src="/player.js"></script><script src="/page.js"></script>';

function pageFile(pathname, library) {
  if (pathname === '/') return { text: PAGE, type: 'text/html' };
  if (pathname === '/page.js') return { file: path.join(HERE, 'page.js'), type: 'text/javascript' };
  if (pathname === '/player.js') return { file: path.join(HERE, library), type: 'text/javascript' };
  return undefined;
}

// Plays and returns what was seen. Every way out of the loop either is the goal or adds a reason.
async function play(page, options, url, changed) {
  const reasons = [];
  await page.evaluate((o) => window.start(o), { player: options.player, url, rate: options.rate, text: options.text });
  const seeks = [...options.seeks];
  const began = Date.now();
  let seen;
  let [moved, position, watchedAtSeek] = [Date.now(), -1, 0];
  let forwarded = false;
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    seen = await page.evaluate(() => window.look());
    if (seen.time !== position) [position, moved] = [seen.time, Date.now()];
    if (options.hear !== null && seen.watched > PLAY_BEFORE_SEEK_S && !changed.language) {
      changed.language = true;
      await page.evaluate((language) => window.hear(language), options.hear);
    }
    if (options.fastForward && seen.watched > PLAY_BEFORE_SEEK_S && !forwarded) {
      forwarded = true;
      await page.evaluate(() => window.fastForward());
    }
    if (seen.fatal) { reasons.push(`the player gave up: ${seen.fatal}`); break; }
    if (Date.now() - moved > DEAD_MS && !seen.ended) {
      reasons.push(`no progress for ${DEAD_MS / 1000} s at ${seen.time.toFixed(3)} s`);
      break;
    }
    if (Date.now() - began > options.timeout * 1000) { reasons.push(`not done after ${options.timeout} s`); break; }
    const ready = seen.watched - watchedAtSeek >= PLAY_BEFORE_SEEK_S || seen.ended;
    if (seeks.length && ready && !seen.seeking) {
      watchedAtSeek = seen.watched;
      await page.evaluate((to) => window.seek(to), seeks.shift());
      continue;
    }
    if (!seeks.length && !seen.seeking && (seen.ended || seen.watched - watchedAtSeek >= options.seconds)) break;
  }
  return { seen, reasons };
}

// Between decoding and showing the first frame of MPEG-TS, in seconds: a few frames.
const DECODED_BEFORE_S = 0.15;

function verdict(options, seen, reasons, failedRequests) {
  if (options.transport) {
    seen.gaps = seen.gaps.filter(({ from, to }) => from > 0 || to > DECODED_BEFORE_S);
    // hls.js fills that gap with the same segment once more, and says that nothing came of it.
    seen.errors = seen.errors.filter((error) => !error.startsWith('bufferAppendNoProgress'));
  }
  const stalled = seen.stalls.reduce((sum, stall) => sum + stall.seconds, 0);
  if (seen.errors.length) reasons.push(`${seen.errors.length} player error(s), first: ${seen.errors[0]}`);
  if (failedRequests.length) reasons.push(`${failedRequests.length} failed request(s), first: ${failedRequests[0]}`);
  if (seen.gaps.length) reasons.push(`${seen.gaps.length} gap(s) in the buffer, first: ${JSON.stringify(seen.gaps[0])}`);
  if (seen.jumps.length) reasons.push(`${seen.jumps.length} jump(s) over content, first: ${JSON.stringify(seen.jumps[0])}`);
  if (stalled > options.maxStall) reasons.push(`${seen.stalls.length} stall(s), ${stalled.toFixed(1)} s`);
  if (seen.corrupted) reasons.push(`${seen.corrupted} corrupted frame(s)`);
  if (options.text !== null && !seen.cues.length) reasons.push('no subtitle was shown');
  if (!seen.frames && !options.soundOnly) reasons.push('no frame was decoded');
  const whole = !Number.isFinite(options.seconds) && !options.seeks.length;
  if (whole && seen.ended && seen.played < seen.duration - 0.5) {
    reasons.push(`ended after ${seen.played.toFixed(1)} of ${seen.duration.toFixed(1)} s`);
  }
  for (const { to, at } of seen.seeks) {
    if (Math.abs(at - to) > 0.5) reasons.push(`a seek to ${to} s ended at ${at} s`);
  }
  const { player, url } = options;
  return { player, url, ok: reasons.length === 0, reasons, stalled, ...seen, failed_requests: failedRequests };
}

async function main() {
  const chosen = options();
  const pages = await serve((pathname) => pageFile(pathname, LIBRARIES[chosen.player]));
  const servers = [pages.server];
  let { url } = chosen;
  if (!/^https?:/.test(url)) {
    const file = path.resolve(url);
    const root = path.dirname(file);
    // Addresses are normalised before they get here, so they cannot lead out of the folder.
    const files = await serve((pathname) => ({ file: path.join(root, pathname) }));
    servers.push(files.server);
    url = `${files.origin}/${encodeURIComponent(path.basename(file))}`;
  }
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: BROWSER_ARGS });
  try {
    const page = await browser.newPage();
    const failedRequests = [];
    const pictures = [];
    page.on('response', (r) => r.ok() && r.url().includes('/trick-') && pictures.push(new URL(r.url()).pathname));
    page.on('response', (r) => r.status() >= 400 && !r.url().endsWith('/favicon.ico')
      && failedRequests.push(`${r.status()} ${r.url()}`));
    page.on('requestfailed', (r) => r.failure()?.errorText !== 'net::ERR_ABORTED'
      && failedRequests.push(`${r.failure()?.errorText} ${r.url()}`));
    await page.goto(pages.origin);
    const changed = { language: false };
    const heard = [];
    page.on('response', (r) => changed.language && r.ok() && r.url().includes('/audio-')
      && heard.push(new URL(r.url()).pathname));
    const { seen, reasons } = await play(page, chosen, url, changed);
    const thumbnail = chosen.thumbnail === null ? null
      : await page.evaluate((at) => window.thumbnail(at), chosen.thumbnail);
    const line = { ...verdict(chosen, seen, reasons, failedRequests), pictures, heard, thumbnail };
    console.log(JSON.stringify(line));
    return line.ok ? 0 : 1;
  } finally {
    await browser.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(String(error?.stack ?? error));
  process.exitCode = 2;
});

//! `headwater up`: takes what is dropped, whatever it is, serves what it made, and stops when it is told to.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use crate::bad_input::{bad_files, check_verdict};
use crate::masters;
use crate::run::{Ran, Running, Site, wait_until};

/// A service that runs in a site.
#[derive(Debug)]
pub(crate) struct Service<'s> {
    site: &'s Site,
    running: Running,
    /// Host and port.
    pub(crate) address: String,
}

impl<'s> Service<'s> {
    /// Starts `headwater up` on a free port, and waits until it answers.
    pub(crate) fn start(site: &'s Site, pipeline: &str) -> Self {
        let log = fs::File::create(site.path("log")).unwrap();
        let mut command = site.command(["up"]);
        command
            .env("HEADWATER_HTTP_LISTEN", "127.0.0.1:0")
            .env("HEADWATER_WATCH_SETTLE_SECONDS", "0.5")
            .env("HEADWATER_PIPELINES_DIR", site.path(""))
            .env("HEADWATER_PIPELINE", pipeline);
        let mut running = Running::start_with_log(&mut command, log);
        let mut address = None;
        wait_until("the service says where its page is", || {
            let log = fs::read_to_string(site.path("log")).unwrap();
            assert!(running.is_alive(), "{log}");
            let page = log.lines().find_map(|line| line.strip_prefix("page")).map(str::trim);
            address = page
                .and_then(|page| page.strip_prefix("http://"))
                .map(|a| a.trim_end_matches('/').to_owned());
            address.is_some()
        });
        let service = Self { site, running, address: address.unwrap() };
        wait_until("the drop folder is there", || service.drop_folder().is_dir());
        service
    }

    /// Where it looks for masters.
    pub(crate) fn drop_folder(&self) -> PathBuf {
        self.site.path("headwater-data/drop")
    }

    /// Waits until nothing more happens to a title, and gives its status.
    pub(crate) fn settled(&self, title: &str) -> serde_json::Value {
        wait_until(&format!("`{title}` is known"), || {
            self.site.run(["status", title]).stdout.contains(title)
        });
        self.site.run(["--json", "status", "--follow", title]).last_line()
    }

    /// Asks with more header lines, and gives the answer.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Answer {
        get(&self.address, path, headers)
    }

    /// Tells it to stop, and gives how it ended.
    pub(crate) fn stop(self) -> Ran {
        self.running.signal(rustix::process::Signal::TERM);
        self.running.finish()
    }
}

/// Asks a host and port for a path with more header lines, and gives the answer.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let close = "Connection: close";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{close}\r\n{headers}\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = masters::find(&bytes, b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer { head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status line and headers in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no header `{name}` in {}", self.head))
    }
}

#[test]
fn bad_deliveries_do_not_stop_the_service() {
    let site = Site::new();
    let pipeline = site.quick(2);
    let service = Service::start(&site, pipeline.trim_end_matches(".toml"));
    let drop_folder = service.drop_folder();

    for (file, bytes, _) in bad_files() {
        fs::write(drop_folder.join(file), bytes).unwrap();
    }
    fs::create_dir(drop_folder.join("season-1")).unwrap();
    let good = fs::read(masters::H264_25.path()).unwrap();
    let ignored =
        [".hidden.mp4", "a.partial", "b.tmp", "c.crdownload", "d.aspx", "e.filepart", "f.mp4.part"];
    for name in ignored {
        fs::write(drop_folder.join(name), &good).unwrap();
    }
    // As a transfer does it: under another name until it is complete.
    fs::write(drop_folder.join("film.mp4.part"), &good).unwrap();
    for (file, bytes, code) in bad_files() {
        let title = file.trim_end_matches(".mp4").trim_end_matches(".mkv");
        check_verdict(&service.settled(title), "rejected", code);
        assert!(fs::read(drop_folder.join(file)).unwrap() == bytes, "{file} was written to");
    }
    check_verdict(&service.settled("season-1"), "rejected", "not-a-file");
    assert_eq!(site.run(["status", "film"]).code, Some(1), "what has not arrived is no title");
    fs::rename(drop_folder.join("film.mp4.part"), drop_folder.join("film.mp4")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    assert!(fs::read(drop_folder.join("film.mp4")).unwrap() == good, "the master was written to");
    let titles = site.run(["--json", "status"]);
    assert_eq!(
        titles.stdout.lines().count(),
        bad_files().len() + 2,
        "names of unfinished transfers are ignored: {titles}"
    );

    served(&site, &service);

    let again = site.run(["retranscode", "film"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "somebody does it: {again}");
    let second = site.run(["up"]);
    assert_eq!(second.code, Some(1), "{second}");
    assert!(
        second.stderr.contains("another headwater already has the role `watch` in"),
        "{second}"
    );
    let ended = service.stop();
    assert_eq!(ended.code, Some(0), "{}", fs::read_to_string(site.path("log")).unwrap());
}

/// What players and browsers get of the published title.
fn served(site: &Site, service: &Service<'_>) {
    let page = service.get("/", "");
    assert_eq!(page.status(), 200);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.head);
    let titles = service.get("/api/titles", "");
    assert!(String::from_utf8_lossy(&titles.body).contains("film"), "{titles:?}");

    let types = [
        ("index.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.mpd", "application/dash+xml"),
        ("v1/video-180p/media.m3u8", "application/vnd.apple.mpegurl"),
        ("v1/video-180p/init.mp4", "video/mp4"),
        ("v1/audio-1/seg-00001.m4s", "video/iso.segment"),
    ];
    for (path, content_type) in types {
        let answer = service
            .get(&format!("/media/main/film/{path}"), "Origin: https://player.example.org\r\n");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        let lasts = if path.starts_with("v1/") { "immutable" } else { "max-age=5" };
        assert!(answer.header("cache-control").contains(lasts), "{path}: {}", answer.head);
        assert!(answer.body == fs::read(site.title("film").join(path)).unwrap(), "{path}");
    }

    let segment = fs::read(site.package("film").join("video-180p/seg-00001.m4s")).unwrap();
    let path = "/media/main/film/v1/video-180p/seg-00001.m4s";
    let part = service.get(path, "Range: bytes=100-299\r\n");
    assert_eq!(
        (part.status(), part.header("content-range")),
        (206, &*format!("bytes 100-299/{}", segment.len()))
    );
    assert!(part.body == segment[100..300]);
    let beyond = service.get(path, &format!("Range: bytes={}-\r\n", segment.len()));
    assert_eq!(beyond.status(), 416);
    for nothing in [
        "/media/main/film/v2/index.m3u8",
        "/media/main/../catalog.db",
        "/media/main/film/%2e%2e/%2e%2e/catalog.db",
    ] {
        assert_eq!(service.get(nothing, "").status(), 404, "{nothing}");
    }
}

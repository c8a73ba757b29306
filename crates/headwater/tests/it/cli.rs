//! What people and scripts read: every answer of the command line, with its exit code.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::masters;
use crate::run::{Ran, Site, repository};

/// What a command prints and how it ends, with this test's folder called `SITE`.
fn check<const N: usize>(site: &Site, arguments: [&str; N], expected: Expect) {
    let ran = Ran::of(site.command(arguments).env("COLUMNS", "100"));
    let folder = site.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let code = ran.code.map_or("a signal".to_owned(), |code| code.to_string());
    let text = format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", ran.stdout, ran.stderr);
    expected.assert_eq(&text.replace(folder, "SITE"));
}

#[test]
fn help() {
    check(
        &Site::new(),
        ["--help"],
        expect![[r#"
            exit code 0
            --- stdout
            Turns source masters into HLS and DASH packages, and never publishes one with a hole in it

            Usage: headwater [OPTIONS] <COMMAND>

            Commands:
              up           Run everything in one process: drop folder, workers, verifier, publisher and web page
              worker       Run transcoders only, beside a service that does the rest
              ingest       Queue a master
              status       Show titles and what happened to them
              tasks        Show what the queue has
              task         Try a task at once, or give it up
              title        Hold a title, let it go on, give it up, or say how much it is wanted
              workers      Show who works on the queue
              verify       Prove again that the origin holds every object of a published title
              audit        Compare what origins hold with what they should, for all titles or some, and note
                           what is wrong
              heal         Put right what origins have lost of a published title: from another origin, or from
                           the master
              incidents    Show what was found wrong with objects on origins, and how it ended
              retranscode  Make published titles again, whole or in part, while viewers keep what they have
              rollback     Give viewers an older version of a title again, once it is proven anew
              gc           Delete versions that viewers have not got for some time, on every origin
              catalog      Look after the catalog
              origin       Look at the origins that the configuration names
              pipelines    Look at pipeline files
              probe        Show what is in a master
              help         Print this message or the help of the given subcommand(s)

            Options:
                  --config <FILE>      Configuration file [default: headwater.toml, if there is one]
                  --data-dir <FOLDER>  Folder for everything that the service keeps [default: headwater-data]
                  --json               Print results as JSON
              -h, --help               Print help
              -V, --version            Print version

            Exit codes: 0 done, 1 the work failed or was refused, or the answer is no, 2 usage or configuration;
            130 or 143 if a second SIGINT or SIGTERM ended it at once.
            --- stderr
        "#]],
    );
}

#[test]
fn help_of_ingest() {
    check(
        &Site::new(),
        ["ingest", "--help"],
        expect![[r#"
            exit code 0
            --- stdout
            Queue a master

            Usage: headwater ingest [OPTIONS] <FILE>

            Arguments:
              <FILE>  The master: a path, `s3://bucket/key`, or an address that begins with `https://` or
                      `http://`

            Options:
                  --config <FILE>      Configuration file [default: headwater.toml, if there is one]
                  --title <ID>         Title to make of it [default: the file's name]
                  --data-dir <FOLDER>  Folder for everything that the service keeps [default: headwater-data]
                  --pipeline <NAME>    Pipeline: a name, or a path to a .toml file [default: vod-h264, unless
                                       configured otherwise]
                  --json               Print results as JSON
                  --priority <HOW>     How much the title is wanted [default: as before, and normal for a new
                                       one] [possible values: urgent, normal, low]
                  --wait               Wait until it is published or refused; with no service running, do the
                                       work right here
                  --again              Transcode even if this master has been transcoded before
              -h, --help               Print help
            --- stderr
        "#]],
    );
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    check(
        &Site::new(),
        ["ingets", "film.mp4"],
        expect![[r#"
            exit code 2
            --- stdout
            --- stderr
            error: unrecognized subcommand 'ingets'

              tip: some similar subcommands exist: 'incidents', 'ingest'

            Usage: headwater [OPTIONS] <COMMAND>

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn a_title_that_is_no_name_is_a_usage_error() {
    check(
        &Site::new(),
        ["status", "Big Film"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: invalid value 'Big Film' for '[TITLE]': `Big Film` is not a usable name: use 1 to 120 of the characters a-z 0-9 . _ - and start with a letter or digit

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn an_unknown_key_in_the_configuration() {
    let site = Site::new();
    site.write("headwater.toml", "[watch]\nfoldr = \"incoming\"\n");
    check(
        &site,
        ["status"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: headwater.toml:2:1: unknown key `watch.foldr`
          2 | foldr = "incoming"
            | ^^^^^
        hint: did you mean `folder`?
    "#]],
    );
}

#[test]
fn an_unknown_variable_in_the_environment() {
    let site = Site::new();
    let ran = Ran::of(site.command(["status"]).env("HEADWATER_HTTP_LISTN", "127.0.0.1:8081"));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("did you mean `HEADWATER_HTTP_LISTEN`?"), "{ran}");
}

#[test]
fn a_configuration_file_that_is_not_there() {
    check(
        &Site::new(),
        ["--config", "nowhere.toml", "status"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: failed to read the configuration `nowhere.toml`: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn a_good_pipeline_file() {
    let site = Site::new();
    site.quick(2);
    check(
        &site,
        ["pipelines", "check", "quick-2.toml"],
        expect![[r#"
        exit code 0
        --- stdout
        quick-2  46d465a4ca61f0573f8b00695010932500e1409a8c59e88664504c1b7a20a153
          segments   5 s
          video      x264enc preset superfast, IDR every 1 s, spans of 2 segments
            180p     fits 320x180, crf 23, at most 600 kbit/s
            90p      fits 160x90, crf 23, at most 200 kbit/s
          audio      avenc_aac 64 kbit/s, 48000 Hz, 2 channels at most
        --- stderr
    "#]],
    );
}

#[test]
fn a_bad_pipeline_file() {
    let site = Site::new();
    let text = crate::run::quick_pipeline(2).replace("segment_seconds = 5", "segment_seconds = 12");
    site.write("bad.toml", text.replace("preset =", "presset ="));
    check(
        &site,
        ["pipelines", "check", "bad.toml"],
        expect![[r#"
        exit code 1
        --- stdout
        --- stderr
        error: bad.toml:2:19: segment_seconds = 12 is outside 5 to 10
          2 | segment_seconds = 12
            |                   ^^
        hint: players expect about 6 s
        error: bad.toml:6:1: unknown key `video.presset`
          6 | presset = "superfast"
            | ^^^^^^^
        hint: did you mean `preset`?
    "#]],
    );
}

#[test]
fn shipped_pipelines() {
    check(
        &Site::new(),
        ["pipelines", "list"],
        expect![[r#"
        exit code 0
        --- stdout
        copy
        vod-h264
        --- stderr
    "#]],
    );
}

#[test]
fn probing_a_master() {
    let site = Site::new();
    std::fs::copy(repository().join("testdata/sources/bigbuckbunny.mp4"), site.path("film.mp4"))
        .unwrap();
    check(
        &site,
        ["probe", "film.mp4"],
        expect![[r#"
            exit code 0
            --- stdout
            film.mp4  ISO MP4/M4A, 1,055,736 bytes
              video  H.264 (Main Profile) 1280x720  (avdec_h264)
                     8 bits, 4:2:0, colours not stated
                     132 frames, 25 frames per second, 5.280 s, index parsed
              audio  MPEG-4 AAC 48000 Hz 5.1, language not stated  (avdec_aac)
            --- stderr
        "#]],
    );
    check(
        &site,
        ["--json", "probe", "film.mp4"],
        expect![[r#"
            exit code 0
            --- stdout
            {"audio":[{"channels":6,"codec":"MPEG-4 AAC","decoder":"avdec_aac","end_ns":5312000000,"language":null,"layout":"5.1","media_type":"audio/mpeg","sample_rate":48000,"start_ns":0,"stream":"002"}],"bytes":1055736,"cadence":{"constant":[25,1]},"container":"ISO MP4/M4A","edit_lists":[{"delay_ns":0,"from_ns":0,"pieces":1,"stream":"001"},{"delay_ns":0,"from_ns":0,"pieces":1,"stream":"002"}],"file":"film.mp4","flaws":[],"frames":132,"index":"parsed","other":[],"seconds":5.28,"text":[],"video":[{"bit_depth":8,"chroma":"4:2:0","codec":"H.264 (Main Profile)","colour":{"full_range":false,"matrix":2,"primaries":2,"transfer":2},"decoder":"avdec_h264","end_ns":5280000000,"fields":null,"height":720,"interlaced":false,"language":null,"light":null,"mastering":null,"media_type":"video/x-h264","orientation":"upright","sample_aspect":[1,1],"stated_rate":[25,1],"stream":"001","width":1280}]}
            --- stderr
        "#]],
    );
}

#[test]
fn a_language_that_the_container_calls_undetermined_is_not_stated() {
    let master = masters::MKV.path();
    assert!(masters::find(&std::fs::read(&master).unwrap(), b"und").is_some());
    let ran = Site::new().run(["probe", master.to_str().unwrap()]);
    assert!(ran.stdout.contains("language not stated"), "{ran}");
}

#[test]
fn where_there_is_no_catalog_none_is_made_by_asking() {
    let site = Site::new();
    let asking: [&[&str]; 8] = [
        &["tasks"],
        &["workers"],
        &["incidents"],
        &["status", "film", "--follow"],
        &["verify", "film"],
        &["audit", "--all"],
        &["heal", "film"],
        &["title", "hold", "film"],
    ];
    for asked in asking {
        let ran = site.run(asked);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("there is no catalog in `headwater-data`"), "{ran}");
    }
    check(
        &site,
        ["status"],
        expect![[r#"
        exit code 1
        --- stdout
        --- stderr
        error: there is no catalog in `headwater-data`: nothing was ever queued there
        hint: --data-dir names another data folder, HEADWATER_DATABASE a shared database; `headwater up` and `headwater ingest` make a catalog
    "#]],
    );
    assert!(!site.path("headwater-data").exists());
    let mut command = site.command(["status"]);
    let ran = Ran::of(command.env("HEADWATER_DATABASE_PASSWORD", "hunter2"));
    assert!(ran.stderr.contains("warning: HEADWATER_DATABASE_PASSWORD is set"), "{ran}");
    assert!(!ran.to_string().contains("hunter2"), "{ran}");
}

#[test]
fn status_of_nothing() {
    let site = Site::new();
    assert_eq!(site.run(["origin", "list"]).code, Some(0), "makes a catalog");
    check(
        &site,
        ["status"],
        expect![[r#"
        exit code 0
        --- stdout
        no titles yet in the data folder `headwater-data`; drop a master into headwater-data/drop
        --- stderr
    "#]],
    );
    check(
        &site,
        ["status", "film"],
        expect![[r#"
            exit code 1
            --- stdout
            --- stderr
            error: there is no title `film`
            hint: `headwater status` lists the titles
        "#]],
    );
    check(
        &site,
        ["verify", "film"],
        expect![[r#"
            exit code 1
            --- stdout
            --- stderr
            error: there is no title `film`
            hint: `headwater status` lists the titles
        "#]],
    );
}

#[test]
fn no_title_and_not_all_of_them() {
    check(
        &Site::new(),
        ["audit"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          <TITLES|--all>

        Usage: headwater audit <TITLES|--all>

        For more information, try '--help'.
    "#]],
    );
    check(
        &Site::new(),
        ["heal"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          <TITLE|--all>

        Usage: headwater heal <TITLE|--all>

        For more information, try '--help'.
    "#]],
    );
    check(
        &Site::new(),
        ["retranscode"],
        expect![[r#"
        exit code 2
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          <TITLE|--where <FIELD=VALUE>>

        Usage: headwater retranscode <TITLE|--where <FIELD=VALUE>>

        For more information, try '--help'.
    "#]],
    );
}

/// Whoever takes an origin out of the configuration leaves its keys exported.
#[test]
fn the_keys_of_an_origin_that_is_gone_do_not_bring_it_back() {
    let key = |name: &str| (format!("HEADWATER_ORIGINS_TWO_{name}"), "hush-hush".to_owned());
    let site = Site::new().with(["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PURGE_TOKEN"].map(key));
    site.write("headwater.toml", "[origins.one]\n");
    check(
        &site,
        ["origin", "list"],
        expect![[r#"
        exit code 0
        --- stdout
        one                  directory  required       grade C
        --- stderr
        warning: no origin `two` is configured: nothing is made of HEADWATER_ORIGINS_TWO_ACCESS_KEY_ID, HEADWATER_ORIGINS_TWO_PURGE_TOKEN, HEADWATER_ORIGINS_TWO_SECRET_ACCESS_KEY
    "#]],
    );
}

#[test]
fn ingest_without_waiting_queues() {
    let site = Site::new();
    std::fs::copy(masters::SILENT.path(), site.path("Big Film (2026).mp4")).unwrap();
    check(
        &site,
        ["ingest", "Big Film (2026).mp4"],
        expect![[r#"
        exit code 0
        --- stdout
        big-film-2026  queued as v1
        --- stderr
        hint: no service is running in this data folder: start `headwater up`, or use --wait
    "#]],
    );
    check(
        &site,
        ["status"],
        expect![[r#"
            exit code 0
            --- stdout
            big-film-2026                    queued
            --- stderr
            hint: no service is running in this data folder: start `headwater up`
        "#]],
    );
}

#[test]
fn a_path_that_leads_nowhere() {
    check(
        &Site::new(),
        ["ingest", "./nowhere.mp4", "--wait"],
        expect![[r#"
        exit code 1
        --- stdout
        --- stderr
        error: no-such-file: there is no file `SITE/nowhere.mp4`
        hint: Check the path: nothing was queued.
    "#]],
    );
}

#[test]
fn the_path_of_a_master_has_no_dots_and_leads_to_the_same_file() {
    let site = Site::new();
    std::fs::create_dir_all(site.path("disk/season-1")).unwrap();
    std::os::unix::fs::symlink("disk/season-1", site.path("link")).unwrap();
    let master = site.write("disk/film.mp4", "anything");
    assert_eq!(site.run(["ingest", "link/../film.mp4"]).code, Some(0));
    assert_eq!(site.status("film")["master"], master.to_str().unwrap());
}

#[test]
fn an_unknown_pipeline() {
    let site = Site::new();
    site.write("film.mp4", "anything");
    check(
        &site,
        ["ingest", "film.mp4", "--pipeline", "vod-h265"],
        expect![[r#"
            exit code 1
            --- stdout
            --- stderr
            error: pipeline-mismatch: there is no pipeline `vod-h265` (did you mean `vod-h264`?)
            hint: `headwater pipelines list` shows those that can be named, `headwater pipelines check FILE` what is wrong with one: nothing was queued.
        "#]],
    );
}

#[test]
fn the_last_line_of_ingest_has_the_documented_fields() {
    let site = Site::new();
    let fields =
        |verdict: &Value| verdict.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let whether_published = ["title", "state", "version", "spans", "frames", "seconds"];

    let published = site.publish(&masters::SILENT.path(), "film", &site.quick(2));
    assert_eq!(
        fields(&published),
        set(&[&whether_published[..], &["hls", "mpd"]].concat()),
        "{published}"
    );
    let hls = site.title("film").join("index.m3u8");
    assert_eq!(published["hls"], hls.to_str().unwrap());
    assert_eq!(published["mpd"], hls.with_file_name("manifest.mpd").to_str().unwrap());
    assert_eq!(
        (&published["version"], &published["spans"], &published["frames"]),
        (&1.into(), &2.into(), &400.into())
    );
    assert_eq!(published["seconds"], 16.0);

    let rejected = site.ingest(&site.write("empty.mp4", ""), "nothing", "vod-h264").last_line();
    assert_eq!(
        fields(&rejected),
        set(&[&whether_published[..], &["code", "message"]].concat()),
        "{rejected}"
    );
    let status = site.status("nothing");
    let numbers = ["spans", "spans_done", "frames", "frames_done", "seconds", "working_seconds"];
    assert!(numbers.iter().all(|name| status[name].as_f64() == Some(0.0)), "{status}");
    let missing = site.ingest(&site.path("nowhere.mp4"), "nothing", "vod-h264").last_line();
    assert_eq!(
        fields(&missing),
        set(&["title", "state", "code", "message", "spans", "frames", "seconds"]),
        "{missing}"
    );
}

#[test]
fn following_all_titles_ends_when_nothing_more_will_happen() {
    let site = Site::new();
    assert_eq!(site.run(["origin", "list"]).code, Some(0), "makes a catalog");
    let ran = site.run(["status", "--follow"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

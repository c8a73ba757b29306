//! A published title is made again, in part and whole, rolled back, cleaned up after and sampled: every verb that comes
//! after the first publication, through the whole binary.

use serde_json::{Value, json};

use crate::masters;
use crate::run::{Ran, Site};

fn json_lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The objects of a line that are named.
fn told(line: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), line[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_title_is_made_again_and_rolled_back() {
    let site = Site::new();
    let pipeline = site.quick(1);
    site.publish(&masters::H264_25.path(), "film", &pipeline);

    // What it would take, by what it took.
    let whole = site.run(["--json", "retranscode", "film", "--dry-run"]).last_line();
    let small = ["--json", "retranscode", "film", "--rendition", "video-90p", "--dry-run"];
    let small = site.run(small).last_line();
    assert_eq!((&whole["audio_tracks"], &small["audio_tracks"]), (&json!(1), &json!(0)));
    assert_eq!(whole["spans"], small["spans"]);
    let seconds = |line: &Value| line["cpu_seconds"].as_f64().unwrap();
    assert!(seconds(&small) > 0.0 && seconds(&small) < seconds(&whole) / 2.0, "{small} {whole}");

    // A part, while viewers keep the rest.
    let why = "--reason=banding in the small picture";
    let ran = site.run(["retranscode", "film", "--rendition", "video-90p", why, "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(site.status("film")["live"], 2);
    assert!(!site.title("film").join("v2/video-180p").exists(), "the rest is referred to");
    let queued =
        "queued as v2: video-90p made again, the rest from v1 (banding in the small picture)";
    assert!(site.history("film").iter().any(|line| line == queued), "{:#?}", site.history("film"));

    // The whole, by another pipeline of a path that means something only here; the reason is kept as well.
    let ran = site.run(["retranscode", "film", "--pipeline", "quick-2.toml", "--wait"]);
    assert_eq!(ran.code, Some(1), "there is no such file: {ran}");
    let other = site.quick(2);
    let ran = site.run([
        "retranscode",
        "film",
        "--pipeline",
        &other,
        "--reason",
        "longer spans",
        "--wait",
    ]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let queued = site.history("film").into_iter().rfind(|line| line.starts_with("queued as v3"));
    assert!(queued.is_some_and(|line| line.ends_with("/quick-2.toml (longer spans)")));

    // Back to the first, which says nothing when it is there already.
    let back = site.run(["--json", "rollback", "film", "--to", "v1"]);
    assert_eq!((back.code, back.last_line()["live"].clone()), (Some(0), json!(1)), "{back}");
    let again = site.run(["rollback", "film", "--to", "1"]);
    assert_eq!(again.code, Some(1), "{again}");
    assert!(again.stderr.contains("viewers get v1 of `film` already"), "{again}");

    // Nothing was lost on the way, whatever is looked at.
    let audited = site.run(["--json", "audit", "--all", "--sample", "50%"]);
    let sum = audited.last_line();
    assert_eq!(told(&sum, &["event", "sound"]), json!({ "event": "audited", "sound": true }));
    let (read, objects) = (&sum["tally"]["read"], &sum["tally"]["objects"]);
    assert!(read.as_u64() > Some(0) && read.as_u64() < objects.as_u64(), "{sum}");
    assert_eq!(site.run(["audit", "--all", "--from-start"]).code, Some(0));
}

#[test]
fn what_is_asked_for_in_vain_is_refused_before_anything_is_queued() {
    let site = Site::new();
    site.publish(&masters::H264_25.path(), "film", &site.quick(1));
    for (arguments, code, says) in [
        (&["retranscode", "flim"][..], 1, "there is no title `flim`"),
        (
            &["retranscode", "film", "--rendition", "video-1080p"],
            1,
            "there is no rendition `video-1080p`",
        ),
        (&["retranscode", "film", "--from", "1:00:00"], 1, "nothing of the title"),
        (
            &["retranscode", "film", "--from", "0:10", "--to", "0:05"],
            2,
            "ends at 5 s, which is not",
        ),
        (&["retranscode", "film", "--to", "0"], 2, "`--to` has to be later"),
        (&["retranscode", "film", "--pipeline", "vod-h246"], 1, "did you mean `vod-h264`?"),
        (&["retranscode", "--where", "hight=90"], 2, "there is no field `hight`"),
        (&["retranscode", "--where", "height=abc"], 2, "`abc` is not a height"),
        (&["retranscode", "--where", "state=publisched"], 2, "did you mean `published`?"),
        (&["retranscode", "--where", "pipeline=quick-l"], 2, "did you mean `quick-1`?"),
        (&["retranscode", "--where", "height=2160"], 1, "no published title matches"),
        (&["audit", "flim"], 1, "there is no title `flim`"),
        (&["incidents", "flim"], 1, "did you mean `film`? `headwater status` lists the titles"),
        (&["status", "nothing"], 1, "\nhint: `headwater status` lists the titles"),
        (&["verify", "flim"], 1, "did you mean `film`?"),
        (&["verify", "film", "--policy", "edge"], 2, "no origin has an edge"),
        (&["audit", "--all", "--policy", "edge"], 2, "no origin has an edge"),
        (&["audit", "--all", "--origin", "b3"], 1, "there is no origin `b3`"),
        (&["audit", "--all", "--policy", "listing", "--sample", "1%"], 2, "never read in part"),
        (&["audit", "film", "--from-start"], 2, "--from-start"),
        (&["rollback", "film", "--to", "v7"], 1, "there is no v7 of `film` (known: v1)"),
        (&["gc", "--older-than", "soon"], 2, "--older-than"),
    ] {
        let ran = site.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {ran}");
        assert!(!ran.stderr.contains("no-such-file"), "{arguments:?}: {ran}");
    }
    for (arguments, what) in [
        (&["audit", "flim"][..], "title"),
        (&["heal", "flim"], "title"),
        (&["incidents", "flim"], "title"),
        (&["status", "flim"], "title"),
        (&["verify", "flim"], "title"),
        (&["retranscode", "--where", "height=2160"], "where"),
        (&["retranscode", "flim"], "title"),
        (&["rollback", "flim", "--to", "v1"], "title"),
        (&["catalog", "rebuild", "--origin", "b3"], "origin"),
    ] {
        let ran = site.run(["--json"].iter().chain(arguments));
        let said = ran.last_line();
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran}");
        for field in [what, "message", "next_step"] {
            assert!(said[field].is_string(), "{arguments:?}: {ran}");
        }
    }
    let status = site.status("film");
    assert_eq!((&status["state"], &status["version"]), (&json!("published"), &json!(1)));

    // What is queued waits for somebody, and it is said once for all of it.
    let hint = "hint: no service is running in this data folder: start `headwater up`";
    let queued = site.run(["retranscode", "--where", "title=film"]);
    assert_eq!((queued.code, queued.stderr), (Some(0), format!("{hint}, or use --wait\n")));
    assert_eq!(site.run(["--json", "retranscode", "film"]).stderr, "");
    assert_eq!(site.run(["status", "film"]).stderr, format!("{hint}\n"));
    assert_eq!(site.run(["--json", "status"]).stderr, "");
}

#[test]
fn titles_are_chosen_by_what_they_are_and_old_versions_deleted() {
    let site = Site::new();
    let pipeline = site.quick(2);
    site.publish(&masters::H264_25.path(), "one", &pipeline);
    site.publish(&masters::H264_30.path(), "two", &pipeline);
    let by_size = ["--where", "height=180", "--where", "title=two", "--wait", "--json"];
    let ran = site.run(["retranscode"].iter().chain(&by_size));
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!((&site.status("one")["live"], &site.status("two")["live"]), (&json!(1), &json!(2)));

    // v1 of the second is kept for a rollback, unless nothing is.
    let gc = |more: &[&str]| {
        let ran = site.run(["--json", "gc", "--older-than", "0"].iter().chain(more));
        assert_eq!(ran.code, Some(0), "{ran}");
        json_lines(&ran)
    };
    assert_eq!(gc(&[]).len(), 1, "only the sum");
    let first = site.title("two").join("v1");
    let planned = gc(&["--keep", "0", "--dry-run"]);
    assert_eq!(
        told(&planned[1], &["deleted", "packages"]),
        json!({ "deleted": false, "packages": 1 })
    );
    assert!(first.exists());
    let deleted = gc(&["--keep", "0"]);
    assert_eq!(deleted[0], planned[0], "what was announced is what was deleted");
    assert_eq!(
        told(&deleted[1], &["deleted", "packages"]),
        json!({ "deleted": true, "packages": 1 })
    );
    assert!(!first.join("inventory.jsonl").exists());
    let gone = site.run(["rollback", "two", "--to", "v1"]);
    assert_eq!(gone.code, Some(1), "{gone}");
    assert!(gone.stderr.starts_with("error: there is no v1 of `two` (known: v2)\n"), "{gone}");
    assert_eq!(site.run(["audit", "--all", "--policy", "read"]).code, Some(0));
}

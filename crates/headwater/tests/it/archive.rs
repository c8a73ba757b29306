//! Masters in an archive on S3: stored in cold storage beside the title, and what brings a lost segment back when the
//! master's file is gone.

use std::fs;
use std::path::PathBuf;

use headwater_lying_origin::LyingOrigin;
use headwater_model::history::counted;
use serde_json::Value;

use crate::masters;
use crate::origins::Server;
use crate::run::{Ran, Site};

/// A site that keeps packages in the folder `basement`, and masters on `server` as `glacier`.
fn site(variables: Vec<(String, String)>) -> Site {
    let more = [
        ("HEADWATER_ORIGINS_BASEMENT_KIND", "directory"),
        ("HEADWATER_ORIGINS_GLACIER_STORAGE_CLASS", "DEEP_ARCHIVE"),
        ("HEADWATER_PUBLISH_ARCHIVE", "glacier"),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Site::new().with(variables.into_iter().chain(more))
}

/// A master of the site's own.
fn own_master(site: &Site) -> PathBuf {
    site.write("film.mp4", fs::read(masters::H264_25.path()).unwrap())
}

fn segment(site: &Site) -> PathBuf {
    site.path("headwater-data/origins/basement/main/film/v1/video-180p/seg-00002.m4s")
}

fn archive(site: &Site) -> Value {
    site.status("film")["archive"].clone()
}

/// What an audit of the archive found.
fn findings(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_archive =
        |line: &Value| line["event"] == "finding" && line["finding"]["origin"] == "glacier";
    lines.filter(of_archive).map(|line| line["finding"]["finding"].to_string()).collect()
}

#[test]
fn a_lost_segment_comes_back_from_a_master_in_cold_storage() {
    let server = Server::start();
    let site = site(server.variables_of("GLACIER"));
    let master = own_master(&site);
    let bytes = fs::read(&master).unwrap();
    let pipeline = site.quick(1);
    site.publish(&master, "film", &pipeline);
    let stored = archive(&site);
    assert_eq!(
        (&stored["proven"], &stored["storage_class"]),
        (&true.into(), &"DEEP_ARCHIVE".into())
    );
    let key = format!("packages/{}", stored["object"].as_str().unwrap());
    assert!(key.starts_with("packages/main/masters/") && key.ends_with(".mp4"), "{key}");
    assert_eq!(server.origin.keys(), std::slice::from_ref(&key), "no packages there");
    assert_eq!(server.origin.object(&key).unwrap(), bytes);
    assert_eq!(server.origin.storage_class(&key).as_deref(), Some("DEEP_ARCHIVE"));
    let text = site.run(["status", "film"]).stdout;
    assert!(text.contains("archive     archived on glacier, proven at 20"), "{text}");
    let audit = site.run(["audit", "--all"]);
    assert_eq!(audit.code, Some(0), "{audit}");
    let size = counted(bytes.len() as u64, "byte");
    let summed = format!("archive glacier (grade A): as it was proven, 1 master, {size}");
    assert!(audit.stdout.contains(&summed), "{audit}");

    fs::remove_file(&master).unwrap();
    let before = fs::read(segment(&site)).unwrap();
    fs::remove_file(segment(&site)).unwrap();
    let planned = site.run(["heal", "film", "--dry-run"]).stdout;
    assert!(planned.contains("made again from the master's copy on origin glacier: "), "{planned}");
    let cold = site.run(["heal", "film"]);
    assert_eq!(cold.code, Some(1), "{cold}");
    assert!(cold.stdout.contains("  next step   Restore the object at the archive"), "{cold}");
    let said = format!(
        "master-in-cold-storage: there is no file `{}` any more; its copy is in cold storage: restore object `{}` of origin glacier at the provider, then `headwater heal film`",
        fs::canonicalize(site.path("")).unwrap().join("film.mp4").display(),
        stored["object"].as_str().unwrap()
    );
    assert!(cold.stdout.contains(&said), "{cold}");
    assert!(server.origin.restore(&key));
    let healed = site.run(["heal", "film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(fs::read(segment(&site)).unwrap(), before, "byte for byte");
    // Each process has a folder of its own there.
    let folders = fs::read_dir(site.path("headwater-data/retrieved")).unwrap();
    let left: Vec<_> = folders.flat_map(|f| fs::read_dir(f.unwrap().path()).unwrap()).collect();
    assert!(left.is_empty(), "{left:?}");

    assert!(server.origin.remove(&key));
    let audit = site.run(["--json", "audit", "--all", "--heal"]);
    assert_eq!(
        (audit.code, findings(&audit)),
        (Some(1), vec!["\"missing\"".to_owned()]),
        "{audit}"
    );
    let lost = archive(&site);
    let message = lost["message"].as_str().unwrap();
    assert_eq!(lost["proven"], false, "{lost}");
    assert!(message.contains(" on origin glacier is missing, and was proven at 20"), "{message}");
    fs::remove_file(segment(&site)).unwrap();
    let planned = site.run(["heal", "film", "--dry-run"]).stdout;
    let cannot = "would have to be made again, and cannot be: there is no file ";
    assert!(planned.contains(cannot) && planned.contains("its copy on origin glacier is missing"));
    let failed = site.run(["--json", "heal", "film"]);
    let said = failed.last_line();
    assert_eq!((failed.code, &said["code"]), (Some(1), &"master-gone".into()), "{failed}");
    assert!(said["next_step"].as_str().unwrap().starts_with("Put the master back"), "{said}");
    fs::write(&master, &bytes).unwrap();
    let healed = site.run(["heal", "film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(server.origin.object(&key).unwrap(), bytes, "sent again");
    assert_eq!(site.run(["--json", "audit", "--all"]).code, Some(0));
}

#[test]
fn an_archive_that_is_away_is_said_and_viewers_have_the_title() {
    let server = Server::start();
    let mut away = server.variables_of("GLACIER");
    // Nobody listens on the discard port.
    away.push(("HEADWATER_ORIGINS_GLACIER_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned()));
    let site = site(away);
    let master = own_master(&site);
    let ran = site.ingest(&master, "film", &site.quick(2));
    assert_eq!((ran.code, &ran.last_line()["state"]), (Some(0), &"published".into()), "{ran}");
    let said = "its master is not archived on glacier yet; it is tried again: origin-unavailable: ";
    assert!(ran.stderr.contains(said), "{ran}");
    let stored = archive(&site);
    assert_eq!((&stored["proven"], &stored["code"]), (&false.into(), &"origin-unavailable".into()));
    assert!(!ran.to_string().contains(LyingOrigin::SECRET_KEY), "{ran}");
}

#[test]
fn a_lost_catalog_finds_the_archived_master_again() {
    let server = Server::start();
    let site = site(server.variables_of("GLACIER"));
    let master = own_master(&site);
    site.publish(&master, "film", &site.quick(1));
    let key = server.origin.keys().remove(0);
    server.origin.restore(&key);
    for entry in fs::read_dir(site.path("headwater-data")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("catalog.db") {
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_file(&master).unwrap();
    let rebuilt = site.run(["--json", "catalog", "rebuild", "--origin", "basement"]);
    assert_eq!((rebuilt.code, &rebuilt.last_line()["masters"]), (Some(0), &1.into()), "{rebuilt}");
    let found = archive(&site);
    assert_eq!(
        (&found["proven"], key.ends_with(found["object"].as_str().unwrap())),
        (&false.into(), true)
    );
    let before = fs::read(segment(&site)).unwrap();
    fs::remove_file(segment(&site)).unwrap();
    let healed = site.run(["heal", "film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(fs::read(segment(&site)).unwrap(), before);
}
